//! The start of a proxy connection: `CONNECT host:443` for the orgs' own host names, and nothing else.

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::call::Arrival;
use crate::site::Site;
use crate::world::World;

const MAX_HEAD: usize = 8 << 10;
const END_OF_HEAD: &[u8] = b"\r\n\r\n";

/// What became of a request to the proxy.
pub(crate) enum Verdict {
    /// What follows on the connection is TLS for one of the orgs' hosts.
    Tls,
    /// What follows is plain HTTP for the plain listener: some clients send that through a proxy too.
    Plain,
    Refused,
}

/// Reads one request head and answers it.
pub(crate) async fn connect(stream: &mut TcpStream, world: &World, plain: Option<SocketAddr>) -> io::Result<Verdict> {
    let head = read_head(stream).await?;
    let head = String::from_utf8_lossy(&head);
    let mut words = head.lines().next().unwrap_or_default().split(' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    if method != "CONNECT" {
        return refuse(stream, "405 Method Not Allowed", "This proxy tunnels TLS: use CONNECT.").await;
    }
    let verdict = match target.rsplit_once(':') {
        Some((host, "443")) if world.locate(host, Arrival::Tls).0 != Site::Unknown => Some(Verdict::Tls),
        _ if plain.is_some_and(|plain| is_plain(target, plain)) => Some(Verdict::Plain),
        _ => None,
    };
    let Some(verdict) = verdict else {
        let reason = "This proxy answers for port 443 of the emulated orgs' own hosts only.";
        return refuse(stream, "403 Forbidden", reason).await;
    };
    stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await?;
    Ok(verdict)
}

fn is_plain(target: &str, plain: SocketAddr) -> bool {
    target == plain.to_string() || target == format!("localhost:{}", plain.port())
}

async fn refuse(stream: &mut TcpStream, status: &str, reason: &str) -> io::Result<Verdict> {
    let length = reason.len();
    let answer = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{reason}"
    );
    stream.write_all(answer.as_bytes()).await?;
    stream.shutdown().await?;
    Ok(Verdict::Refused)
}

/// Reads byte by byte, so that nothing of what follows the head is taken.
async fn read_head(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut head = Vec::with_capacity(256);
    while !head.ends_with(END_OF_HEAD) {
        if head.len() == MAX_HEAD {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the request head is too long"));
        }
        head.push(stream.read_u8().await?);
    }
    Ok(head)
}
