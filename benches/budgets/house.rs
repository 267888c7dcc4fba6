use crate::place;
use crate::wire::Door;
use patchbay::app::{App, AppOptions};
use patchbay::clock::Clock;
use patchbay::config::Config;
use patchbay::ids::{EngineId, TurnId, WorkerId};
use patchbay::mcp::Server;
use patchbay::paths::{AllowedRoots, Env, StateDir};
use patchbay::secret::Secret;
use patchbay::store::{NewTurn, NewWorker, TurnEnd, TurnState, WorkerMode};
use patchbay::web;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{AssertSqlSafe, Connection, SqliteConnection};
use std::path::PathBuf;
use std::sync::Arc;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// A server within this process, so that its store can be changed from here. Nobody claims its turns.
pub(crate) struct House {
    pub(crate) app: Arc<App>,
    pub(crate) door: Door,
    cancel: CancellationToken,
    dir: TempDir,
}

impl House {
    pub(crate) async fn open() -> Self {
        let dir = place::room();
        let state = StateDir::open(&place::state_in(dir.path())).unwrap();
        let app = App::open(AppOptions {
            state,
            env: Env::of([("PATH", "/usr/local/bin:/usr/bin:/bin")]),
            config: Arc::new(Config::default()),
            roots: AllowedRoots::new([dir.path().to_path_buf()]).unwrap(),
            clock: Clock::system(),
            program: PathBuf::from(env!("CARGO_BIN_EXE_patchbay")),
        });
        let app = app.await.unwrap();
        let server = Server::start(app.clone()).unwrap();
        let (token, cancel) = (Secret::generate().unwrap(), CancellationToken::new());
        let path = format!("/mcp/{}", token.expose());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = web::mount(server, token, address, cancel.clone());
        tokio::spawn(web::serve(listener, router, cancel.clone()));
        Self { app, door: Door { address, path }, cancel, dir }
    }

    /// A worker whose first turn waits.
    pub(crate) async fn worker(&self, name: &str) -> (WorkerId, TurnId) {
        let clock = &self.app.clock;
        let (worker, turn) = (WorkerId::mint(clock), TurnId::mint(clock));
        let new = NewWorker {
            id: worker.clone(),
            repo_key: "0123456789abcdef01234567".to_owned(),
            repo_root: self.dir.path().to_path_buf(),
            repo_name: "repository".to_owned(),
            name: name.to_owned(),
            mode: WorkerMode::IsolatedWrite,
            model: None,
            effort: None,
            owner_ref: "chat_0123456789abcdef".to_owned(),
            owner_label: None,
        };
        let first = self.turn(&worker, turn.clone());
        self.app.store.accept_worker(&new, &first).await.unwrap();
        (worker, turn)
    }

    pub(crate) fn turn(&self, worker: &WorkerId, id: TurnId) -> NewTurn {
        let brief = "Do what is to be done.".to_owned();
        NewTurn { id, worker: worker.clone(), brief, model: None, effort: None }
    }

    /// A worker that has done its work.
    pub(crate) async fn past(&self, name: &str, archived: bool) {
        let (worker, _) = self.worker(name).await;
        let engine = EngineId::mint(&self.app.clock);
        let (_, lease) = self.app.store.claim_turn(&engine, 64).await.unwrap().unwrap();
        let report = Some("It is done, and here is what was done. ".repeat(20));
        let end = TurnEnd { state: TurnState::Completed, report, error: None, verified: None };
        self.app.store.finish_turn(&lease, &end).await.unwrap();
        if archived {
            self.app.store.archive_worker(&worker).await.unwrap();
        }
    }

    /// A connection of its own to the same database, set up as the store sets up its writer.
    pub(crate) async fn raw(&self) -> SqliteConnection {
        let options = SqliteConnectOptions::new()
            .filename(self.app.state.store_db())
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Normal)
            .foreign_keys(true);
        SqliteConnection::connect_with(&options).await.unwrap()
    }

    /// Copies every worker so many times, with its turns and events.
    pub(crate) async fn multiply(&self, times: u32) {
        let mut raw = self.raw().await;
        for table in ["workers", "turns", "events"] {
            let columns: Vec<String> = sqlx::query_scalar(AssertSqlSafe(format!(
                "SELECT name FROM pragma_table_info('{table}')"
            )))
            .fetch_all(&mut raw)
            .await
            .unwrap();
            let columns: Vec<&String> = columns.iter().filter(|name| *name != "seq").collect();
            // The last eight digits of an id give way to the number of the copy.
            let value = |name: &&String| match name.as_str() {
                "id" | "worker_id" | "turn_id" | "current_turn" => {
                    format!("substr({name}, 1, length({name}) - 8) || printf('%08x', n.n)")
                }
                "name" | "name_fold" | "client_id" => format!("{name} || '-' || n.n"),
                _ => (*name).clone(),
            };
            let values: Vec<String> = columns.iter().map(value).collect();
            let names: Vec<&str> = columns.iter().map(|name| name.as_str()).collect();
            let statement = format!(
                "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {times})
                 INSERT INTO {table} ({}) SELECT {} FROM {table}, n",
                names.join(", "),
                values.join(", ")
            );
            sqlx::query(AssertSqlSafe(statement)).execute(&mut raw).await.unwrap();
        }
        // They were done long ago.
        let day = 24 * 3600 * 1000;
        sqlx::query(AssertSqlSafe(format!("UPDATE workers SET updated_at = updated_at - {day}")))
            .execute(&mut raw)
            .await
            .unwrap();
        raw.close().await.unwrap();
    }

    pub(crate) async fn close(self) {
        self.cancel.cancel();
        self.app.close(true).await;
    }
}
