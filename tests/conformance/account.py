"""The account that every call meets: the clinic as at the start, and a webhook with an event."""

import json
import urllib.parse
import urllib.request

REST = "/integrations/rest/v3"
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Account:
    def __init__(self, url, token=None):
        self.url = url
        self.token = token
        self.ids = None

    def call(self, method, path, body=None, form=False):
        """One call; gives the JSON of the answer, or None."""
        data = None
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        if body is not None:
            data = urllib.parse.urlencode(body).encode() if form else json.dumps(body).encode()
            headers["Content-Type"] = "application/x-www-form-urlencoded" if form else "application/json"
        request = urllib.request.Request(self.url + path, data=data, headers=headers, method=method)
        with OPENER.open(request, timeout=30) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def grant(self, client="demo"):
        """Asks for the access token of the further calls."""
        grant = {"grant_type": "client_credentials", "client_id": f"{client}-client", "client_secret": f"{client}-secret"}
        self.token = self.call("POST", "/oauth/token", grant, form=True)["access_token"]

    def settings(self, **changes):
        self.call("PATCH", "/emulator/settings", changes)

    def prepare(self):
        """Brings the start back; gives what values.json calls `the-webhook` and so on."""
        self.call("POST", "/emulator/reset")
        hook = self.call(
            "POST", f"{REST}/outgoingWebhooks", {"Name": "first", "OutgoingUrls": ["https://example.com/1"]},
        )["Id"]
        event = {"EventType": "table.recordUpdate", "ObjectName": "Tasks", "ObjectFields": ["Status"]}
        made = self.call("POST", f"{REST}/outgoingWebhooks/{hook}/events", event)["Id"]
        if self.ids is None:
            self.ids = {"the-webhook": hook, "the-event": made, **self.look()}
        elif self.ids["the-webhook"] != hook:
            raise RuntimeError("the reset account has other ids; is RandomSeed set?")
        return self.ids

    def look(self):
        def result(path):
            return self.call("GET", REST + path)["Result"]

        directory = result("/directories")[0]["Id"]
        users = result(f"/directories/{directory}/users?q.orderBy=PK_ID")
        return {
            "the-folder": result("/files/folders")[0]["ExternalKey"],
            "the-file": result("/files")[0]["ExternalKey"],
            "the-task": result("/dataImportExportTasks")[0]["ExternalKey"],
            "the-directory": directory,
            "the-user": users[0]["UserGUID"],
            "the-new-user": users[2]["UserGUID"],
        }
