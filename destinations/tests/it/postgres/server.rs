//! A server that refuses, is away, or has others writing to it.

use std::{fs, sync::Arc, time::Duration};

use destinations::postgres::{PostgresDestination, PostgresSettings};
use serde_json::{Value, json};
use sync::{
    Recovery,
    checkpoint::Epoch,
    destination::{Destination, DestinationError},
    table::StreamKey,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{ServerConfig, crypto::ring, pki_types::PrivateKeyDer},
};

use super::{IDS, PostgresSchema, one, quoted};
use crate::{
    case::{Place, checkpoint},
    contact::{batch, names, stream},
};

/// Fails with the error of `code` whenever a row is written.
fn trigger(code: &str) -> String {
    format!(
        "CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
             BEGIN RAISE EXCEPTION 'refused by a test' USING ERRCODE = '{code}'; END $$;
         DROP TRIGGER IF EXISTS guard ON \"Contact\";
         CREATE TRIGGER guard BEFORE INSERT ON \"Contact\" FOR EACH ROW EXECUTE FUNCTION refuse()"
    )
}

#[tokio::test]
async fn many_streams_make_their_tables_at_once() {
    for place in PostgresSchema::on_each_server() {
        let prepare = |index: usize| {
            let place = &place;
            async move {
                let key = StreamKey { object: format!("Object{index}"), ..stream() };
                let mut destination = place.open();
                destination.prepare(&key, &names(), Epoch(1)).await.unwrap();
                let row = batch(&names(), &[json!({"Id": index.to_string(), "Name": "a"})]);
                destination.write(row, &checkpoint("1"), Epoch(1)).await.unwrap();
            }
        };
        futures_util::future::join_all((0..8).map(prepare)).await;
        assert_eq!(place.query::<String>(IDS).await, "0,1,2,3,4,5,6,7");
    }
}

#[tokio::test]
async fn what_the_server_says_is_an_error_that_knows_its_cure() {
    let retry = Recovery::Retry { after: None };
    for place in PostgresSchema::on_each_server() {
        let mut destination = place.prepared(&names()).await.unwrap();
        for (code, recovery, words) in [
            ("53100", Recovery::Configure, "Free some space"),
            ("53300", retry, "max_connections"),
            ("57P01", retry, "cannot be reached"),
            ("08006", retry, "cannot be reached"),
            ("57014", retry, "statement_timeout"),
            ("55P03", retry, "holds a lock"),
            ("25006", Recovery::Configure, "name the primary"),
            ("42501", Recovery::Configure, "grants"),
            ("54000", Recovery::Configure, "leave fields out"),
            ("P0001", Recovery::Configure, "drop the trigger"),
            ("23514", Recovery::Configure, "drop the constraint"),
            ("XX001", Recovery::Configure, "restore a backup"),
            ("40001", retry, "another program"),
        ] {
            place.execute(&trigger(code)).await;
            let error = destination.write(one(), &checkpoint("1"), Epoch(1)).await.unwrap_err();
            assert_eq!(error.recovery(), recovery, "{code}: {error}");
            assert!(
                error.to_string().contains(words) && error.to_string().contains("refused by a test"),
                "{code}: {error}"
            );
        }
        place.execute("DROP TRIGGER guard ON \"Contact\"").await;
        destination.write(one(), &checkpoint("1"), Epoch(1)).await.unwrap();
    }
}

#[tokio::test]
async fn a_transaction_that_the_server_undid_for_another_is_written_again() {
    for place in PostgresSchema::on_each_server() {
        let mut destination = place.prepared(&names()).await.unwrap();
        place
            .execute(
                "CREATE SEQUENCE tries;
                 CREATE FUNCTION collide() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                     IF nextval('tries') < 3 THEN RAISE EXCEPTION 'collided' USING ERRCODE = '40P01'; END IF;
                     RETURN new; END $$;
                 ALTER FUNCTION collide SET search_path FROM CURRENT;
                 CREATE TRIGGER guard BEFORE INSERT ON \"Contact\" FOR EACH ROW EXECUTE FUNCTION collide()",
            )
            .await;
        destination.write(one(), &checkpoint("1"), Epoch(1)).await.unwrap();
        assert_eq!(place.query::<i64>("SELECT last_value FROM tries").await, 3);
        assert_eq!(place.query::<String>(IDS).await, "1");
    }
}

#[tokio::test]
async fn a_connection_that_is_lost_leaves_whole_batches_and_the_next_prepare_makes_another() {
    for place in PostgresSchema::on_each_server() {
        let mut destination = place.prepared(&names()).await.unwrap();
        destination.write(one(), &checkpoint("1"), Epoch(1)).await.unwrap();
        let lock = place.client().await;
        lock.batch_execute("BEGIN; LOCK TABLE \"Contact\" IN EXCLUSIVE MODE").await.unwrap();
        let resume = checkpoint("2");
        let ended = async {
            let query = "SELECT count(pg_terminate_backend(pid)) FROM pg_locks JOIN pg_class c ON c.oid = relation
                         WHERE NOT granted AND relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = current_schema)";
            let waiting = async {
                while place.query::<i64>(query).await == 0 {
                    tokio::task::yield_now().await;
                }
            };
            tokio::time::timeout(Duration::from_secs(120), waiting).await.expect("the write waits for the lock");
        };
        let rows = batch(&names(), &[json!({"Id": "2", "Name": "b"})]);
        let (written, ()) = tokio::join!(destination.write(rows.clone(), &resume, Epoch(1)), ended);
        lock.batch_execute("ROLLBACK").await.unwrap();
        let error = written.unwrap_err();
        assert!(matches!(error, DestinationError::Unreachable { .. }), "{error}");
        let error = destination.write(rows.clone(), &resume, Epoch(1)).await.unwrap_err();
        assert!(matches!(error, DestinationError::Unreachable { .. }), "{error}");
        let stored = destination.prepare(&stream(), &names(), Epoch(2)).await.unwrap();
        assert_eq!(stored, Some(checkpoint("1")));
        destination.write(rows, &resume, Epoch(2)).await.unwrap();
        assert_eq!(place.query::<String>(IDS).await, "1,2");
    }
}

#[tokio::test]
async fn a_stream_that_goes_away_while_it_writes_has_written_wholly_or_not_at_all() {
    for place in PostgresSchema::on_each_server() {
        let mut destination = place.prepared(&names()).await.unwrap();
        let rows: Vec<Value> = (0..2000).map(|id| json!({"Id": id.to_string(), "Name": "a"})).collect();
        let resume = checkpoint("all");
        for polls in [1, 2, 3, 5, 8, 13, 21, 34] {
            let mut call = destination.write(batch(&names(), &rows), &resume, Epoch(1));
            for _ in 0..polls {
                let done = std::future::poll_fn(|context| std::task::Poll::Ready(call.as_mut().poll(context))).await;
                if done.is_ready() {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            drop(call);
            let stored = destination.prepare(&stream(), &names(), Epoch(1)).await.unwrap();
            let count: i64 = place.query("SELECT count(*) FROM \"Contact\"").await;
            assert!(matches!((count, &stored), (0, None) | (2000, Some(_))), "{polls}: {count} {stored:?}");
        }
        destination.write(batch(&names(), &rows), &resume, Epoch(1)).await.unwrap();
        assert_eq!(place.query::<i64>("SELECT count(*) FROM \"Contact\"").await, 2000);
    }
}

#[tokio::test]
async fn a_table_that_another_program_keeps_locked_is_tried_again_later() {
    for place in PostgresSchema::on_each_server() {
        place.prepared(&names()).await.unwrap();
        let other = place.client().await;
        other.batch_execute("BEGIN; LOCK TABLE \"Contact\" IN ACCESS EXCLUSIVE MODE").await.unwrap();
        let mut settings = place.address("");
        settings.lock_timeout = Duration::from_millis(10);
        let mut destination = PostgresDestination::new(settings);
        let error = destination.prepare(&stream(), &names(), Epoch(1)).await.unwrap_err();
        assert!(matches!(error, DestinationError::Unreachable { .. }), "{error}");
        assert!(error.to_string().contains("holds a lock"), "{error}");
        other.batch_execute("ROLLBACK").await.unwrap();
        destination.prepare(&stream(), &names(), Epoch(1)).await.unwrap();
    }
}

#[tokio::test]
async fn a_place_that_cannot_be_written_says_which_and_what_to_do() {
    for place in PostgresSchema::on_each_server() {
        let said = async |from: &str, to: &str| {
            let address = place.address("&connect_timeout=3").to_string().replace(from, to);
            let mut destination = PostgresDestination::new(PostgresSettings::parse(&address).unwrap());
            destination.prepare(&stream(), &names(), Epoch(1)).await.unwrap_err()
        };
        let missing = said("/postgres?", "/absent?").await;
        assert!(
            matches!(&missing, DestinationError::Unusable { reason, .. } if reason.contains("create")),
            "{missing}"
        );
        let port = place.server.get_ports()[0];
        let gone = said(&format!(":{port}/"), ":1/").await;
        assert!(matches!(gone, DestinationError::Unreachable { .. }), "{gone}");
        assert!(gone.to_string().contains("127.0.0.1:1/postgres"), "{gone}");
        let file = place.folder.path().join("pgpass");
        let kept = fs::read(&file).unwrap();
        fs::write(&file, "*:*:*:*:wrong\n").unwrap();
        let wrong = said("", "").await;
        assert!(matches!(&wrong, DestinationError::Denied { reason, .. } if reason.contains("pg_hba")), "{wrong}");
        fs::write(&file, kept).unwrap();
        let standby = said("/postgres?", "/postgres?options=-c%20default_transaction_read_only%3Don&").await;
        assert!(
            matches!(&standby, DestinationError::Unusable { reason, .. } if reason.contains("primary")),
            "{standby}"
        );
        let encrypted = said("/postgres?", "/postgres?sslmode=require&").await;
        assert!(
            matches!(&encrypted, DestinationError::Unusable { reason, .. } if reason.contains("TLS")),
            "{encrypted}"
        );
    }
}

#[tokio::test]
async fn a_user_with_the_documented_grants_is_enough_and_one_without_is_told() {
    for place in PostgresSchema::on_each_server() {
        let role = place.name.clone();
        let database: String = place.query("SELECT current_database()::text").await;
        place
            .execute(&format!(
                "CREATE SCHEMA {0}; CREATE ROLE {0} LOGIN PASSWORD 'x'; REVOKE ALL ON SCHEMA {0} FROM PUBLIC",
                quoted(&role)
            ))
            .await;
        fs::write(place.folder.path().join("pgpass"), "*:*:*:*:x\n").unwrap();
        let user = place.server.get_user().unwrap();
        let address = place.address("").to_string().replace(&format!("//{user}@"), &format!("//{role}@"));
        let settings = PostgresSettings::parse(&address).unwrap();
        let mut destination = PostgresDestination::new(settings);
        let error = destination.prepare(&stream(), &names(), Epoch(1)).await.unwrap_err();
        assert!(matches!(&error, DestinationError::Denied { reason, .. } if reason.contains("grants")), "{error}");
        let grants = "GRANT CONNECT, TEMPORARY ON DATABASE {database} TO {role}; GRANT USAGE, CREATE ON SCHEMA {schema} TO {role}";
        let grants = grants.replace("{database}", &quoted(&database)).replace("{role}", &quoted(&role));
        place.execute(&grants.replace("{schema}", &quoted(&place.name))).await;
        destination.prepare(&stream(), &names(), Epoch(1)).await.unwrap();
        destination.write(one(), &checkpoint("1"), Epoch(1)).await.unwrap();
        let written = place.query::<String>(IDS).await;
        place.execute(&format!("DROP OWNED BY {0} CASCADE; DROP ROLE {0}", quoted(&role))).await;
        assert_eq!(written, "1");
    }
}

/// Speaks TLS in front of a server that does not; returns the port. The handshake begins as in PostgreSQL's protocol:
/// eight bytes that ask for it, and one that agrees.
async fn tls_in_front_of(port: u16, certified: &rcgen::CertifiedKey<rcgen::KeyPair>) -> u16 {
    let key = PrivateKeyDer::try_from(certified.signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certified.cert.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let front = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let mut request = [0; 8];
                client.read_exact(&mut request).await.unwrap();
                assert_eq!(request, [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f], "TLS is asked for");
                client.write_all(b"S").await.unwrap();
                // A client that trusts nobody goes away here.
                let Ok(mut client) = acceptor.accept(client).await else { return };
                let mut server = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
            });
        }
    });
    front
}

#[tokio::test]
async fn tls_is_spoken_and_the_server_is_verified_where_the_address_says_so() {
    for place in PostgresSchema::on_each_server() {
        let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let roots = place.folder.path().join("roots.pem");
        fs::write(&roots, certified.cert.pem()).unwrap();
        let port = place.server.get_ports()[0];
        let front = tls_in_front_of(port, &certified).await;
        let prepare = async |host: &str, more: &str| {
            let address = place.address(more).to_string();
            let address = address.replace(&format!("@127.0.0.1:{port}/"), &format!("@{host}:{front}/"));
            let mut destination = PostgresDestination::new(PostgresSettings::parse(&address).unwrap());
            destination.prepare(&stream(), &names(), Epoch(1)).await.map(drop)
        };
        let trusted = format!("&sslmode=verify-full&sslrootcert={}", roots.display());
        prepare("localhost", &trusted).await.unwrap();
        prepare("127.0.0.1", "&sslmode=require").await.unwrap();
        prepare("127.0.0.1", "").await.unwrap();
        let named_otherwise = prepare("127.0.0.1", &trusted).await.unwrap_err();
        let unknown = prepare("localhost", "&sslmode=verify-full").await.unwrap_err();
        for error in [named_otherwise, unknown] {
            assert!(
                matches!(&error, DestinationError::Unusable { reason, .. } if reason.contains("certificate")),
                "{error}"
            );
        }
        let absent = prepare("localhost", "&sslmode=verify-full&sslrootcert=/absent.pem").await.unwrap_err();
        assert!(
            matches!(&absent, DestinationError::Unusable { reason, .. } if reason.contains("/absent.pem")),
            "{absent}"
        );
    }
}
