//! Networks of one test: each process that is asked for stands in a network of its own, which can be cut from
//! another's, in one direction too. Needs `unshare`, `nsenter` and `ip`; no rights where users may have
//! namespaces of their own.
//!
//! The test runs again inside: with a network and a process tree of its own, all of which ends with it.

use std::net::Ipv4Addr;
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;

/// Set in the run inside.
const INSIDE: &str = "ARBORLOG_TEST_INSIDE";

/// Whether this is the run inside: then the test goes on. Else it was run inside, or can't be; what can't be is
/// said.
pub fn is_inside(test: &str, environment: &[(&str, String)]) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        return true;
    }
    let mut kinds = vec!["--net", "--pid", "--mount-proc", "--fork", "--kill-child"];
    let can = |kinds: &[&str]| {
        // A veth pair is what a container may still be denied.
        let tried = "ip link add veth-a type veth peer name veth-b && echo 1 > /proc/sys/net/ipv4/ip_forward";
        let ran = Command::new("unshare")
            .args(kinds)
            .args(["sh", "-c", tried])
            .output();
        ran.is_ok_and(|output| output.status.success())
    };
    if !can(&kinds) {
        kinds.extend(["--user", "--map-root-user"]);
        if !can(&kinds) {
            eprintln!(
                "SKIPPED: {test}: network namespaces can't be had here (unshare --net, ip link add … type veth)"
            );
            return false;
        }
    }
    let mut command = Command::new("unshare");
    command.args(&kinds).arg(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture"]);
    command.env(INSIDE, "1");
    for (name, value) in environment {
        command.env(name, value);
    }
    let status = command.status().unwrap();
    assert!(status.success(), "{test} inside its own network: {status}");
    false
}

/// A network that is joined to this one, and through it to the others.
pub struct Network {
    number: u8,
    /// Holds it.
    holder: Child,
}

impl Network {
    pub fn new(number: u8) -> Self {
        run("ip link set lo up");
        std::fs::write("/proc/sys/net/ipv4/ip_forward", "1").unwrap();
        let holder = Command::new("unshare")
            .args([
                "--net",
                "--kill-child",
                "sh",
                "-c",
                "ip link set lo up && echo && sleep infinity",
            ])
            .stdout(Stdio::piped())
            .spawn();
        let mut holder = holder.unwrap();
        // The line says that the network is there.
        let mut line = String::new();
        let mut said = std::io::BufReader::new(holder.stdout.take().unwrap());
        std::io::BufRead::read_line(&mut said, &mut line).unwrap();
        let pid = holder.id();
        run(&format!(
            "ip link add v{number} type veth peer name e0 netns {pid}"
        ));
        run(&format!("ip addr add 10.18.{number}.1/24 dev v{number}"));
        run(&format!("ip link set v{number} up"));
        run(&format!(
            "nsenter -t {pid} -n ip addr add 10.18.{number}.2/24 dev e0"
        ));
        run(&format!("nsenter -t {pid} -n ip link set e0 up"));
        run(&format!(
            "nsenter -t {pid} -n ip route add default via 10.18.{number}.1"
        ));
        Self { number, holder }
    }

    /// The address of what stands in it.
    pub fn address(&self) -> Ipv4Addr {
        Ipv4Addr::new(10, 18, self.number, 2)
    }

    /// A command that runs in it.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["-t", &self.holder.id().to_string(), "-n", program]);
        command
    }

    /// A thread of this process that stands in it, as do those that it starts.
    pub fn thread<T: Send + 'static>(
        &self,
        run: impl FnOnce() -> T + Send + 'static,
    ) -> JoinHandle<T> {
        use std::os::fd::AsFd as _;

        use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
        let network = std::fs::File::open(format!("/proc/{}/ns/net", self.holder.id())).unwrap();
        std::thread::spawn(move || {
            let kind = Some(LinkNameSpaceType::Network);
            move_into_link_name_space(network.as_fd(), kind).unwrap();
            run()
        })
    }

    /// What it sends there is lost from now on.
    pub fn cut_to(&self, other: &Self) {
        let (number, to) = (self.number, other.address());
        run(&format!(
            "ip rule add pref 100 iif v{number} to {to} blackhole"
        ));
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

/// All that was cut is whole again.
pub fn heal() {
    let delete = || {
        Command::new("ip")
            .args(["rule", "del", "pref", "100"])
            .output()
    };
    while delete().unwrap().status.success() {}
}

fn run(command: &str) {
    let mut words = command.split(' ');
    let output = Command::new(words.next().unwrap())
        .args(words)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command}: {said}");
}
