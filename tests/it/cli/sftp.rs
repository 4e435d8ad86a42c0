//! A bank's server: a real OpenSSH of this machine, with keys of its own, on a port of its own.
#![cfg(feature = "sftp")]

use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Once;
use std::thread;

use super::exchange::{DAY, file_of, wait_for};
use super::{Desk, FINANCE, files_in};

/// The server's program, if this machine has one; without it the stories are skipped, unless they are demanded.
fn sshd() -> Option<PathBuf> {
    static TOLD: Once = Once::new();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from));
    let found = folders.map(|folder| folder.join("sshd")).find(|program| program.is_file());
    let has_keygen = Command::new("ssh-keygen").arg("-?").stderr(Stdio::null()).status().is_ok();
    if found.is_none() || !has_keygen {
        let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        assert!(
            !is_set("CI") && !is_set("FAFANG_REQUIRE_SFTP"),
            "there is no sshd or ssh-keygen, and CI or FAFANG_REQUIRE_SFTP demands them"
        );
        TOLD.call_once(|| {
            let _ = writeln!(std::io::stderr(), "OpenSSH 未提供，跳过");
        });
        return None;
    }
    found
}

/// A server that runs until it is dropped.
struct Server {
    child: Child,
    port: u16,
    folder: tempfile::TempDir,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn keygen(path: &Path, kind: &str, passphrase: &str) {
    let mut command = Command::new("ssh-keygen");
    command.args(["-q", "-t", kind, "-N", passphrase, "-C", "test", "-f"]).arg(path);
    assert!(command.stdout(Stdio::null()).status().unwrap().success());
}

fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}

fn user() -> String {
    let output = Command::new("id").arg("-un").output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_string()
}

impl Server {
    /// Starts one that lets in who has the key; its folders are `out` and `in`.
    fn start(key: &Path) -> Option<Server> {
        let program = sshd()?;
        let folder = tempfile::tempdir().unwrap();
        for name in ["out", "in"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        keygen(&folder.path().join("host"), "ed25519", "");
        fs::copy(key.with_extension("pub"), folder.path().join("authorized")).unwrap();
        let at = folder.path().display();
        // As root the server wants a folder to lock its unprivileged half into.
        let _ = fs::create_dir_all("/run/sshd");
        for _ in 0..5 {
            let port = free_port();
            let settings = format!(
                "Port {port}\nListenAddress 127.0.0.1\nHostKey {at}/host\nAuthorizedKeysFile {at}/authorized\nPidFile none\n\
                 StrictModes no\nUsePAM no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n\
                 PermitRootLogin prohibit-password\nMaxStartups 100\nSubsystem sftp internal-sftp\n"
            );
            fs::write(folder.path().join("config"), settings).unwrap();
            let mut command = Command::new(&program);
            command.arg("-D").arg("-f").arg(folder.path().join("config")).arg("-E").arg(folder.path().join("log"));
            let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
            for _ in 0..100 {
                if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                    return Some(Server { child, port, folder });
                }
                if child.try_wait().unwrap().is_some() {
                    break;
                }
                thread::sleep(std::time::Duration::from_millis(50));
            }
            let _ = child.kill();
            let _ = child.wait();
        }
        panic!("sshd does not start: {}", fs::read_to_string(folder.path().join("log")).unwrap_or_default());
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn names(&self, folder: &str) -> Vec<String> {
        files_in(&self.path(folder)).iter().map(|f| f.file_name().unwrap().to_str().unwrap().to_string()).collect()
    }

    fn fingerprint(&self) -> String {
        let output = Command::new("ssh-keygen").arg("-lf").arg(self.path("host.pub")).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        text.split_whitespace().find(|word| word.starts_with("SHA256:")).unwrap().to_string()
    }
}

impl Desk {
    /// A place on the server, reached by this port, for the bank RCC.
    fn with_server(self, server: &Server, port: u16, more: &str) -> Desk {
        let at = server.folder.path().display();
        let table = format!(
            "\n[[exchange]]\nname = \"RCC\"\nbanks = [\"RCC\"]\nkind = \"sftp\"\nhost = \"127.0.0.1\"\nport = {port}\n\
             user = \"{}\"\nkey = \"key\"\nknown_hosts = \"known_hosts\"\noutbox = \"{at}/out\"\ninbox = \"{at}/in\"\n\
             archive = \"RCC/archive\"\nquarantine = \"RCC/quarantine\"\nsettle_seconds = 0\ntimeout_seconds = 10\n\
             attempts = 2\n{more}\n",
            user()
        );
        let text = fs::read_to_string(self.path("fafang.toml")).unwrap();
        self.put("fafang.toml", text + &table);
        self
    }

    fn trusts(self, server: &Server) -> Desk {
        self.run(&["exchange", "trust", "RCC", "--fingerprint", &server.fingerprint()]).done();
        self
    }
}

/// An office with a key, and a server that knows it.
fn office_and_server(people: usize, kind: &str, passphrase: &str) -> Option<(Desk, Server)> {
    sshd()?;
    let desk = Desk::new().with_office().with_people(people);
    keygen(&desk.path("key"), kind, passphrase);
    let server = Server::start(&desk.path("key"))?;
    Some((desk, server))
}

#[test]
fn a_month_goes_to_the_server_and_comes_back() {
    let Some((desk, server)) = office_and_server(30, "ed25519", "") else { return };
    let desk = desk.with_server(&server, server.port, "marker = \"ok\"");
    desk.issued();
    // Nobody has compared the server's key: it is not asked for anything.
    let shown = server.fingerprint();
    desk.changes_nothing(|| desk.finance(DAY, &["exchange", "push"]).exits(1).says("HOST_UNKNOWN").says(&shown));
    desk.run(&["exchange", "trust", "RCC"]).exits(1).says(&shown).says("没有登记");
    desk.run(&["exchange", "trust", "RCC", "--fingerprint", "SHA256:other"]).exits(1).says("没有登记");
    assert!(!desk.path("known_hosts").exists());
    let desk = desk.trusts(&server).trusts(&server);
    assert_eq!(fs::read_to_string(desk.path("known_hosts")).unwrap().matches("ssh-ed25519").count(), 1);
    desk.run(&["exchange", "trust", "RCC"]).done().says("已登记");

    desk.finance(DAY, &["exchange", "push"]).done().says("已送出");
    let issued = file_of(&desk, "issued", "RCC");
    let name = issued.file_name().unwrap().to_str().unwrap();
    assert_eq!(server.names("out"), [name.to_string(), format!("{name}.ok")]);
    assert_eq!(fs::read(server.path("out").join(name)).unwrap(), fs::read(&issued).unwrap());
    desk.changes_nothing(|| desk.finance(DAY, &["exchange", "push"]).done().says("没有再送"));

    let out = server.path("out").to_str().unwrap().to_string();
    desk.run(&["--on", DAY, "bank", "simulate", &out, "--out", "answers"]).done();
    for file in files_in(&desk.path("answers")) {
        fs::copy(&file, server.path("in").join(file.file_name().unwrap())).unwrap();
    }
    fs::write(server.path("in/notice.txt"), "通知").unwrap();
    desk.run(&["exchange", "list"]).done().says("notice.txt").says("return-1");
    desk.finance(DAY, &["exchange", "pull"]).exits(1).says("已归档").says("notice.txt 没有读入");
    assert_eq!((server.names("in"), desk.names("RCC/archive").len()), (vec![], 1));
    assert_eq!((desk.state("RCC"), desk.names("RCC/quarantine").len()), ("已回盘".to_string(), 2));
    desk.changes_nothing(|| desk.finance(DAY, &["exchange", "pull"]).done().says("没有要读入"));
}

#[test]
fn another_server_and_another_key_are_refused() {
    let Some((desk, server)) = office_and_server(20, "ed25519", "") else { return };
    let desk = desk.with_server(&server, server.port, "").trusts(&server);
    desk.issued();
    // Somebody else answers at the bank's address.
    let known = fs::read_to_string(desk.path("known_hosts")).unwrap();
    keygen(&desk.path("impostor"), "ed25519", "");
    let impostor = fs::read_to_string(desk.path("impostor.pub")).unwrap();
    let key = impostor.split(' ').nth(1).unwrap();
    desk.put("known_hosts", format!("[127.0.0.1]:{} ssh-ed25519 {key}\n", server.port));
    let refused = || desk.finance(DAY, &["exchange", "push"]).exits(1).says("HOST_CHANGED").says(&server.fingerprint());
    desk.changes_nothing(refused);
    desk.run(&["exchange", "trust", "RCC", "--fingerprint", &server.fingerprint()]).exits(4).says("HOST_CHANGED");
    desk.put("known_hosts", known);
    // The server does not know this key of ours.
    fs::rename(desk.path("key"), desk.path("registered")).unwrap();
    keygen(&desk.path("other"), "ed25519", "");
    fs::copy(desk.path("other"), desk.path("key")).unwrap();
    desk.changes_nothing(|| desk.finance(DAY, &["exchange", "push"]).exits(1).says("KEY_REFUSED"));
    desk.changes_nothing(|| desk.finance(DAY, &["exchange", "pull"]).exits(1).says("KEY_REFUSED"));
    fs::remove_file(desk.path("key")).unwrap();
    desk.finance(DAY, &["exchange", "push"]).exits(5).says("SFTP_KEY");
    assert_eq!(server.names("out"), [""; 0]);
    fs::rename(desk.path("registered"), desk.path("key")).unwrap();
    desk.finance(DAY, &["exchange", "push"]).done();
    assert_eq!(server.names("out").len(), 1);
}

#[test]
fn keys_with_a_passphrase_and_of_rsa_are_known() {
    for (kind, passphrase) in [("ed25519", "和静-2026"), ("rsa", "")] {
        let Some((desk, server)) = office_and_server(20, kind, passphrase) else { return };
        let more = if passphrase.is_empty() { "" } else { "key_passphrase_env = \"FAFANG_TEST_PASSPHRASE\"" };
        let desk = desk.with_server(&server, server.port, more).trusts(&server);
        desk.issued();
        let push = ["--as", FINANCE, "--on", DAY, "exchange", "push"];
        if !passphrase.is_empty() {
            desk.run(&push).exits(5).says("没有环境变量 FAFANG_TEST_PASSPHRASE");
            super::answer(desk.command(&push).env("FAFANG_TEST_PASSPHRASE", "wrong")).exits(5).says("口令");
        }
        super::answer(desk.command(&push).env("FAFANG_TEST_PASSPHRASE", passphrase)).done().says("已送出");
        assert_eq!(server.names("out").len(), 1);
    }
}

/// A line to the server that breaks after so many bytes from the client, once, and is whole afterwards.
fn breaking_line(server: u16, after: usize) -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        let mut left = Some(after);
        for client in listener.incoming() {
            let (Ok(client), Ok(there)) = (client, TcpStream::connect(("127.0.0.1", server))) else { return };
            let limit = left.take();
            let (mut from, mut to) = (client.try_clone().unwrap(), there.try_clone().unwrap());
            thread::spawn(move || {
                let _ = std::io::copy(&mut to, &mut from);
                let _ = from.shutdown(Shutdown::Both);
            });
            thread::spawn(move || {
                let (mut client, mut there) = (client, there);
                let _ = match limit {
                    Some(limit) => std::io::copy(&mut (&mut client).take(limit as u64), &mut there),
                    None => std::io::copy(&mut client, &mut there),
                };
                let _ = client.shutdown(Shutdown::Both);
                let _ = there.shutdown(Shutdown::Both);
            });
        }
    });
    port
}

#[test]
fn a_line_that_breaks_leaves_nothing_half_and_the_next_push_goes_on() {
    let Some((desk, server)) = office_and_server(1_200, "ed25519", "") else { return };
    // The connection takes about 5 kB, one file of RCC many times that.
    let port = breaking_line(server.port, 25_000);
    let desk = desk.with_server(&server, port, "marker = \"ok\"");
    let known = format!("[127.0.0.1]:{port} {}", fs::read_to_string(server.path("host.pub")).unwrap());
    desk.put("known_hosts", known);
    desk.issued();
    let issued = file_of(&desk, "issued", "RCC");
    assert!(fs::metadata(&issued).unwrap().len() > 30_000);
    desk.changes_nothing(|| desk.finance(DAY, &["exchange", "push"]).exits(3).says("PLACE_LOST").says("可以重新运行"));
    assert!(server.names("out").iter().all(|name| name.starts_with('.')), "{:?}", server.names("out"));
    assert_eq!(desk.state("RCC"), "未送出");
    desk.finance(DAY, &["exchange", "push"]).done().says("已送出");
    let name = issued.file_name().unwrap().to_str().unwrap();
    assert_eq!(fs::read(server.path("out").join(name)).unwrap(), fs::read(&issued).unwrap());
    // Nobody there at all: tried as often as the office says.
    let gone = desk.path("fafang.toml");
    let text =
        fs::read_to_string(&gone).unwrap().replace(&format!("port = {port}"), &format!("port = {}", free_port()));
    desk.put("fafang.toml", text);
    desk.finance(DAY, &["exchange", "pull"]).exits(3).says("PLACE_UNREACHABLE").says("试了 2 次");
}

#[test]
fn a_kill_between_the_name_and_its_record_is_found_out() {
    let Some((desk, server)) = office_and_server(20, "ed25519", "") else { return };
    let desk = desk.with_server(&server, server.port, "").trusts(&server);
    desk.issued();
    let push = ["--on", DAY, "exchange", "push"];
    for at in ["exchange:after-upload", "exchange.sending:after-commit"] {
        desk.dies(at, FINANCE, &push);
        assert!(server.names("out").iter().all(|name| name.starts_with('.')), "{at}");
    }
    // The server closes what the killed one had open.
    wait_for("the temporary file", || !server.names("out").is_empty());
    desk.dies("exchange:after-name", FINANCE, &push);
    desk.finance(DAY, &["exchange", "push"]).done().says("补记送出");
    assert_eq!(desk.state("RCC"), "已送出");
    assert_eq!(server.names("out").len(), 1, "{:?}", server.names("out"));
    desk.is_healthy();
}
