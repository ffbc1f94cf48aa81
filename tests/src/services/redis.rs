//! Redis: every write in its append-only file, a password even on the loopback.

use anyhow::Result;

use super::{
    account::private_file,
    launch::Launch,
    probe,
    recipe::{Place, QUESTION, Recipe},
};

pub(super) struct Redis;

impl Recipe for Redis {
    fn format(&self, _place: &Place<'_>) -> Result<()> {
        Ok(())
    }

    fn launch(&self, place: &Place<'_>) -> Result<Launch> {
        let settings = place.dir.join("redis.conf");
        // In a file: the command line of a process is everybody's to read.
        let text = format!(
            "bind 127.0.0.1\nport {}\nrequirepass {}\ndir \"{}\"\nappendonly yes\nsave \"\"\n\
             databases 64\nmaxmemory 256mb\nmaxmemory-policy noeviction\n",
            place.entry.port,
            place.state.password,
            place.dir.display()
        );
        private_file(&settings, &text, place.account)?;
        Ok(Launch::new(&place.programs.redis, &place.dir).arg(settings))
    }

    fn probe(&self, place: &Place<'_>) -> Result<()> {
        probe::redis_ping(place.entry.port, &place.state.password, QUESTION)
    }
}
