//! Mail with TLS, webhooks over HTTP and HTTPS, and names that only DNS knows: a CA of the test's
//! own, aiosmtpd with both ways of TLS, a small HTTP receiver, dnsmasq. DNS goes away and comes
//! back; certificates that do not fit are refused.
//!
//! All on the loopback of a network namespace. (The ntfy server itself is in no package here: its
//! form is compared with what docs.ntfy.sh says of headers and body.) Needs root and the packages
//! python3-aiosmtpd, dnsmasq-base, openssl; without them the test fails.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test fails by panicking and runs the programs itself"
)]

mod daemon;
mod namespaces;

use daemon::{Daemon, all_but, eventually, sh};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use watch::Kind;

#[test]
fn mail_with_tls_and_webhooks_by_names_of_dns() {
    namespaces::in_namespaces("mail_with_tls_and_webhooks_by_names_of_dns", 200, inside);
}

/// Takes what is posted and appends it, head and body, to a file.
const RECEIVER: &str = r#"
import http.server, ssl, sys
port, out, cert, key = int(sys.argv[1]), *sys.argv[2:5]
class Take(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with open(out, "ab") as f:
            f.write(self.requestline.encode() + b"\n" + bytes(self.headers) + body + b"\n----\n")
        self.send_response(200); self.send_header("Content-Length", "0"); self.end_headers()
server = http.server.HTTPServer(("127.0.0.3", port), Take)
if cert:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER); context.load_cert_chain(cert, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
"#;

fn start(program: &str, args: &[&str]) -> Child {
    Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap_or_else(|e| panic!("{program}: {e}"))
}

fn dns() -> Child {
    let names = [
        "--address=/mail.lab.test/127.0.0.2",
        "--address=/wrong.lab.test/127.0.0.2",
        "--address=/hook.lab.test/127.0.0.3",
    ];
    let mut args = vec![
        "--keep-in-foreground",
        "--no-resolv",
        "--no-hosts",
        "--conf-file=/dev/null",
    ];
    args.extend([
        "--listen-address=127.0.0.1",
        "--bind-interfaces",
        "--pid-file=",
        "--user=root",
    ]);
    args.extend(names);
    start("dnsmasq", &args)
}

fn certificates(dir: &Path) {
    let dir = dir.display();
    sh(&format!(
        "cd {dir}
         openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj '/CN=lab CA' -keyout ca.key -out ca.pem \
           -addext basicConstraints=critical,CA:TRUE 2>/dev/null
         openssl req -newkey rsa:2048 -nodes -subj '/CN=lab' -keyout key.pem -out csr.pem 2>/dev/null
         printf 'subjectAltName=DNS:mail.lab.test,DNS:hook.lab.test\\nbasicConstraints=CA:FALSE\\nextendedKeyUsage=serverAuth\\n' >ext
         openssl x509 -req -in csr.pem -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 -extfile ext -out cert.pem 2>/dev/null"
    ));
}

fn inside() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    let text = |name: &str| path(name).to_str().unwrap().to_owned();
    let read = |name: &str| std::fs::read_to_string(path(name)).unwrap_or_default();
    // The resolver's files are this namespace's own.
    for (name, content) in [
        ("hosts", "127.0.0.1 localhost\n"),
        ("resolv.conf", "search lab.test\nnameserver 127.0.0.1\n"),
        ("nsswitch.conf", "hosts: files dns\n"),
    ] {
        std::fs::write(path(name), content).unwrap();
        sh(&format!(
            "test -e /etc/{name} || : > /etc/{name}; mount --bind {} /etc/{name}",
            text(name)
        ));
    }
    sh("ip link set lo up");
    certificates(dir.path());
    let (cert, key) = (text("cert.pem"), text("key.pem"));
    let smtp = |port: &str, ways: [&str; 2], mailbox: &str| {
        let listen = format!("127.0.0.2:{port}");
        let args = [
            "-m",
            "aiosmtpd",
            "-n",
            "-l",
            &listen,
            ways[0],
            &cert,
            ways[1],
            &key,
            "-c",
            "aiosmtpd.handlers.Mailbox",
            mailbox,
        ];
        start("/usr/bin/python3", &args)
    };
    let mut servers = vec![
        smtp("1465", ["--smtpscert", "--smtpskey"], &text("wrapped")),
        smtp("1587", ["--tlscert", "--tlskey"], &text("started")),
        start(
            "/usr/bin/python3",
            &["-c", RECEIVER, "8088", &text("plain.txt"), "", ""],
        ),
        start(
            "/usr/bin/python3",
            &["-c", RECEIVER, "8443", &text("tls.txt"), &cert, &key],
        ),
    ];
    let others = all_but(&[]);
    let mail = |name: &str, url: &str, ca: bool| {
        let ca = if ca {
            format!("ca_file = \"{}\"\n", text("ca.pem"))
        } else {
            String::new()
        };
        format!(
            "[sinks.{name}]\ntype = \"mail\"\nurl = \"{url}\"\nfrom = \"nofail@kvm-01.example\"\nto = [\"root@example.org\"]\ngroup_seconds = 1\n{ca}"
        )
    };
    let hook = |name: &str, form: &str, url: &str| {
        format!(
            "[sinks.{name}]\ntype = \"webhook\"\nform = \"{form}\"\nurl = \"{url}\"\ngroup_seconds = 1\n"
        )
    };
    let settings = |more: &[String]| {
        let common = [
            format!("host = \"kvm-01\"\nwithout = {others}\n"),
            mail("wrapped", "smtps://mail.lab.test:1465", true),
            mail("started", "smtp://mail.lab.test:1587", true),
            hook("ntfy", "ntfy", "http://hook:8088/kvm"),
            hook("slack", "slack", "http://hook.lab.test:8088/services/T0/B0"),
        ];
        let text = common.iter().chain(more).cloned().collect::<String>();
        std::fs::write(path("watch.toml"), text).unwrap();
    };
    settings(&[]);

    // DNS is down at first: sinks say so, and deliver once it is there.
    let mut daemon = Daemon::start(dir.path(), &[]);
    daemon.record(Kind::MountStale, "/mnt/first");
    let failed = daemon.next(Kind::SinkFailed, "wrapped");
    assert!(
        failed.message.contains("no address of `mail.lab.test`"),
        "{failed:?}"
    );
    let mut dns_server = dns();
    let mails = |name: &str| {
        let entries = std::fs::read_dir(path(name).join("new"))
            .into_iter()
            .flatten();
        let files = entries.flatten().map(|e| std::fs::read_to_string(e.path()));
        files.filter_map(Result::ok).collect::<Vec<_>>()
    };
    for name in ["wrapped", "started"] {
        let found = eventually(name, || mails(name).pop());
        assert!(
            found.contains("Subject: [kvm-01] critical: /mnt/first"),
            "{found}"
        );
    }
    let plain = eventually("ntfy and Slack", || {
        let text = read("plain.txt");
        let both = text.contains("POST /kvm ") && text.contains("POST /services/T0/B0 ");
        both.then_some(text)
    });
    let requests: Vec<&str> = plain.split("\n----\n").collect();
    let of = |place: &str| *requests.iter().find(|r| r.contains(place)).unwrap();
    let ntfy = of("POST /kvm ").to_lowercase();
    for line in [
        "title: [kvm-01] critical: /mnt/first",
        "priority: 5",
        "tags: rotating_light",
    ] {
        assert!(ntfy.contains(line), "{line}: {ntfy}");
    }
    let slack = of("POST /services").split("\n\n").last().unwrap();
    let slack: serde_json::Value = serde_json::from_str(slack.trim()).unwrap();
    assert!(
        slack["text"].as_str().unwrap().contains("/mnt/first"),
        "{slack}"
    );
    drop(daemon);

    // A name that is not in the certificate, an authority that nobody knows: nothing is sent.
    settings(&[
        mail("othername", "smtps://wrong.lab.test:1465", true),
        mail("stranger", "smtps://mail.lab.test:1465", false),
        hook("tls", "generic", "https://hook.lab.test:8443/x"),
    ]);
    // What rustls takes for the system's store (openssl-probe).
    let mut daemon = Daemon::start(dir.path(), &[("SSL_CERT_FILE", &path("none.pem"))]);
    let begun = daemon.events(0).last().map_or(0, |r| r.id);
    daemon.record(Kind::MountStale, "/mnt/second");
    for sink in ["othername", "stranger", "tls"] {
        daemon.after = begun;
        let failed = daemon.next(Kind::SinkFailed, sink);
        assert!(
            failed.message.to_lowercase().contains("certificate"),
            "{failed:?}"
        );
    }
    eventually("the mail of the sink that may", || {
        (mails("wrapped").len() == 2).then_some(())
    });
    assert_eq!(read("tls.txt"), "", "nothing was sent to a stranger");
    drop(daemon);

    // The authority is one that the system trusts: HTTPS works. DNS goes away again: the
    // addresses that were known are good enough.
    let daemon = Daemon::start(dir.path(), &[("SSL_CERT_FILE", &path("ca.pem"))]);
    let come = |subject: &str| {
        eventually(subject, || read("tls.txt").contains(subject).then_some(()));
    };
    come("/mnt/second");
    daemon.record(Kind::MountHealthy, "/mnt/first");
    eventually("the end is told", || {
        // Alerts about sinks are over as well, and may come in the same mail.
        let over = |m: &String| {
            let told = m.split("Over:").nth(1);
            told.is_some_and(|over| over.contains("/mnt/first: about /mnt/first"))
        };
        mails("started").into_iter().find(over)
    });
    dns_server.kill().unwrap();
    dns_server.wait().unwrap();
    daemon.record(Kind::MountStale, "/mnt/third");
    come("/mnt/third");
    drop(daemon);

    // So they are for a watch that starts while DNS is down: what stands there then matters most.
    let daemon = Daemon::start(dir.path(), &[("SSL_CERT_FILE", &path("ca.pem"))]);
    daemon.record(Kind::MountStale, "/mnt/fourth");
    come("/mnt/fourth");
    drop(daemon);
    for server in &mut servers {
        server.kill().unwrap();
        server.wait().unwrap();
    }
}
