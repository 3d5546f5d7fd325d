//! Opening the file: pragmas and migrations.

use std::path::Path;

use rusqlite::Connection;
use rusqlite::config::DbConfig;

use crate::store::{Result, StoreError};

use super::sql_error;

/// One entry a schema version; never changed once released, only appended to.
const MIGRATIONS: &[&str] = &[include_str!("schema.sql")];

/// Pages after which a commit also checkpoints (4 KiB each). Small enough that the pause of a
/// checkpoint stays near 10 ms, large enough that most commits have none.
const CHECKPOINT_PAGES: u32 = 1000;

/// Bytes of the write-ahead log that stay allocated after a large burst.
const WAL_KEPT: i64 = 64 << 20;

/// The writer's page cache: holds the inner pages of all indexes of a store of millions of runs.
const WRITER_CACHE_KIB: i64 = 16 << 10;

/// The writer's connection, migrated.
pub(super) fn writer(path: &Path) -> Result<Connection> {
    let mut conn = Connection::open(path).map_err(sql_error)?;
    pragmas(&conn)?;
    conn.pragma_update(None, "cache_size", -WRITER_CACHE_KIB).map_err(sql_error)?;
    migrate(&mut conn)?;
    Ok(conn)
}

/// A reader's connection.
pub(super) fn reader(path: &Path) -> Result<Connection> {
    let conn = Connection::open(path).map_err(sql_error)?;
    pragmas(&conn)?;
    conn.pragma_update(None, "query_only", true).map_err(sql_error)?;
    Ok(conn)
}

/// One read transaction sees one state; `VACUUM INTO` writes it compactly, without freed pages.
pub(super) fn copy(conn: &Connection, file: &Path) -> Result<()> {
    let path = file.to_str().ok_or_else(|| StoreError::Io("the path is no text".to_owned()))?;
    // A reader may write nothing at all, not even into another file.
    conn.pragma_update(None, "query_only", false).map_err(sql_error)?;
    let copied = conn.execute("VACUUM INTO ?1", [path]).map(drop).map_err(sql_error);
    conn.pragma_update(None, "query_only", true).map_err(sql_error)?;
    copied
}

/// Copies the whole write-ahead log into the file and makes it empty: what was overwritten is left in neither. False
/// when readers, or another checkpoint, were in the way for a second.
pub(super) fn truncate_log(path: &Path) -> Result<bool> {
    let conn = Connection::open(path).map_err(sql_error)?;
    conn.busy_timeout(std::time::Duration::from_secs(1)).map_err(sql_error)?;
    let busy: i64 =
        conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0)).map_err(sql_error)?;
    Ok(busy == 0)
}

/// SQLite's own check of the whole file.
pub(super) fn check(conn: &Connection) -> Result<()> {
    let said: String =
        conn.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0)).map_err(sql_error)?;
    if said == "ok" { Ok(()) } else { Err(StoreError::Corrupt("the integrity check failed".to_owned())) }
}

fn pragmas(conn: &Connection) -> Result<()> {
    conn.busy_timeout(std::time::Duration::from_secs(10)).map_err(sql_error)?;
    conn.set_prepared_statement_cache_capacity(128);
    // Plans don't go by bound values. Otherwise SQLite plans a kept statement anew whenever its bindings are cleared.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map_err(sql_error)?;
    for (name, value) in [
        ("journal_mode", "WAL"),
        ("synchronous", "FULL"),
        ("foreign_keys", "ON"),
        // Deleted content is overwritten, so that dropping a key leaves no copy of it.
        ("secure_delete", "ON"),
        ("temp_store", "MEMORY"),
    ] {
        conn.pragma_update(None, name, value).map_err(sql_error)?;
    }
    conn.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES).map_err(sql_error)?;
    conn.pragma_update(None, "journal_size_limit", WAL_KEPT).map_err(sql_error)
}

fn migrate(conn: &mut Connection) -> Result<()> {
    let have: usize = conn
        .pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0))
        .map_err(sql_error)
        .and_then(|v| usize::try_from(v).map_err(|_| StoreError::Corrupt("user_version".into())))?;
    if have > MIGRATIONS.len() {
        return Err(StoreError::Corrupt(format!(
            "its schema has version {have}, this caspian knows up to {}; start the newer version",
            MIGRATIONS.len()
        )));
    }
    for (version, sql) in MIGRATIONS.iter().enumerate().skip(have) {
        let tx = conn.transaction().map_err(sql_error)?;
        tx.execute_batch(sql).map_err(sql_error)?;
        tx.pragma_update(None, "user_version", version as i64 + 1).map_err(sql_error)?;
        tx.commit().map_err(sql_error)?;
    }
    Ok(())
}
