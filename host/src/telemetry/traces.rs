//! Traces by OpenTelemetry: webhook → run → step → call of Caspio, as spans of `tracing` that are sent by OTLP.
//!
//! Off unless an endpoint is configured. Spans carry ids, names of actions and codes, never values: only this
//! program's own spans are sent, and its code keeps values out of them. A run is executed long after its
//! message came; the message keeps the context of its span ([`current`]), and the run goes on in it ([`follow`]).

use std::collections::HashMap;

use opentelemetry::propagation::TextMapPropagator as _;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{ExporterBuildError, Protocol, SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};
use serde::{Deserialize, Serialize};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

/// `[telemetry]` of the configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TelemetrySettings {
    /// Where traces go: the base URL of an OTLP receiver over HTTP, e.g. `http://127.0.0.1:4318`. Default none:
    /// nothing leaves the host unless it is told to.
    pub otlp_endpoint: Option<String>,
    /// How they are encoded. Default protobuf, which every receiver reads.
    pub otlp_encoding: OtlpEncoding,
}

/// See [`TelemetrySettings::otlp_encoding`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OtlpEncoding {
    /// `http/protobuf`
    #[default]
    Protobuf,
    /// `http/json`
    Json,
}

/// Sends spans until it is ended.
pub struct Traces {
    provider: SdkTracerProvider,
}

impl Traces {
    /// Sets sending up. Not to be called on a thread of the async runtime.
    ///
    /// # Errors
    /// When the endpoint is no URL or the HTTP client can't be made.
    pub(super) fn new(settings: &TelemetrySettings) -> Result<Option<(Self, SdkTracer)>, ExporterBuildError> {
        let Some(endpoint) = &settings.otlp_endpoint else { return Ok(None) };
        let protocol = match settings.otlp_encoding {
            OtlpEncoding::Protobuf => Protocol::HttpBinary,
            OtlpEncoding::Json => Protocol::HttpJson,
        };
        let exporter = SpanExporter::builder()
            .with_http()
            .with_endpoint(format!("{}/v1/traces", endpoint.trim_end_matches('/')))
            .with_protocol(protocol)
            .build()?;
        let resource = Resource::builder().with_service_name("caspian").build();
        let provider =
            SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource).build();
        let tracer = provider.tracer("caspian");
        Ok(Some((Self { provider }, tracer)))
    }

    /// Sends what is left. Not to be called on a thread of the async runtime.
    pub fn end(self) {
        if let Err(error) = self.provider.shutdown() {
            tracing::warn!(%error, "the last traces were not sent");
        }
    }
}

/// The current span, to go on in later: W3C `traceparent`. None when nothing is traced.
#[must_use]
pub fn current() -> Option<String> {
    let mut carrier = HashMap::new();
    TraceContextPropagator::new().inject_context(&Span::current().context(), &mut carrier);
    carrier.remove("traceparent")
}

/// Makes a span part of the trace that [`current`] named.
pub fn follow(span: &Span, traceparent: &str) {
    let carrier = HashMap::from([("traceparent".to_owned(), traceparent.to_owned())]);
    // Without a receiver there is nothing to follow in.
    let _ = span.set_parent(TraceContextPropagator::new().extract(&carrier));
}
