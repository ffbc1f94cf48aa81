//! MariaDB: a data directory of its own, TCP on the loopback only, a password even there.

use anyhow::{Result, bail};

use super::{
    account::private_file,
    launch::Launch,
    recipe::{PREPARATION, Place, QUESTION, Recipe},
};

pub(super) struct MariaDb;

impl Recipe for MariaDb {
    fn format(&self, place: &Place<'_>) -> Result<()> {
        Launch::new(&place.programs.mariadb_install, &place.dir)
            .args(["--no-defaults", "--skip-test-db", "--skip-name-resolve"])
            .arg(format!("--datadir={}", place.dir.join("tables").display()))
            .run(place.account, &place.log, "", PREPARATION)
    }

    fn launch(&self, place: &Place<'_>) -> Result<Launch> {
        let password = &place.state.password;
        let accounts = place.dir.join("accounts.sql");
        // Run at every start; a statement is one line.
        let sql = format!(
            "CREATE DATABASE IF NOT EXISTS waylog CHARACTER SET utf8mb4;\n\
             CREATE USER IF NOT EXISTS 'waylog'@'127.0.0.1' IDENTIFIED BY '{password}';\n\
             GRANT ALL PRIVILEGES ON *.* TO 'waylog'@'127.0.0.1' WITH GRANT OPTION;\n"
        );
        private_file(&accounts, &sql, place.account)?;
        Ok(Launch::new(&place.programs.mariadbd, &place.dir)
            .arg("--no-defaults")
            .arg(format!("--datadir={}", place.dir.join("tables").display()))
            .arg(format!("--init-file={}", accounts.display()))
            .arg(format!("--pid-file={}", place.dir.join("pid").display()))
            .arg(format!("--tmpdir={}", place.dir.display()))
            .arg(format!("--port={}", place.entry.port))
            // Relative to the data directory: a socket's path is bounded to 107 bytes.
            .args(["--bind-address=127.0.0.1", "--socket=socket", "--skip-name-resolve"])
            .args(["--character-set-server=utf8mb4", "--innodb-buffer-pool-size=64M"])
            .args(["--innodb-log-file-size=16M", "--performance-schema=OFF"])
            .args(["--max-connections=200", "--log-warnings=1"]))
    }

    fn probe(&self, place: &Place<'_>) -> Result<()> {
        let answer = Launch::new(&place.programs.mariadb, "/")
            .args(["--no-defaults", "--protocol=tcp", "--host=127.0.0.1", "--user=waylog"])
            .args(["--connect-timeout=2", "-NB", "-e", "SELECT 1", "waylog"])
            .arg(format!("--port={}", place.entry.port))
            .env("MYSQL_PWD", &place.state.password)
            .ask(QUESTION)?;
        if answer.trim() == "1" { Ok(()) } else { bail!("SELECT 1 answers {answer:?}") }
    }
}
