//! How each fault is done and undone; what it means stands in [`super::fault`].

use std::net::TcpStream;
use std::time::Duration;

use super::super::super::{Postgres, until};
use super::super::{LIMIT, USER};
use super::fault::Fault;
use super::publishers::LARGE_BYTES;
use super::schedule::Planned;
use super::world::{QUEUE_BYTES_MAX, World};

/// By how much the network is late at most, in milliseconds: so much that several looks take longer than a heartbeat.
const DELAY_MILLISECONDS: u64 = 150;
/// Half as much again as the queue holds.
const BURST: usize = QUEUE_BYTES_MAX / LARGE_BYTES * 3 / 2;

impl World {
    /// Breaks it.
    pub fn begin(&mut self, planned: Planned) {
        let Planned { fault, pick, .. } = planned;
        match fault {
            Fault::KillOsel => self.osel.kill(),
            Fault::StopOsel => assert!(self.osel.stop().success()),
            Fault::KillNode => self.kill_node(self.node(pick)),
            Fault::KillMajority => self.kill_majority(self.node(pick)),
            Fault::CutNetwork => self.proxies.iter().for_each(|proxy| proxy.cut()),
            Fault::RefuseNetwork => self.proxies.iter().for_each(|proxy| proxy.refuse()),
            Fault::StallNetwork => self.proxies.iter().for_each(|proxy| proxy.stall()),
            Fault::DelayNetwork => {
                let delay = Duration::from_millis(pick % DELAY_MILLISECONDS);
                self.proxies.iter().for_each(|proxy| proxy.delay(delay));
            }
            Fault::FillDisk => match &self.disk {
                Some(disk) => disk.fill(),
                None => eprintln!("not tried: only root may mount a small disk"),
            },
            Fault::StopDatabase => self.database().stop(planned.database_stop()),
            Fault::DeleteQueue => {
                let queue = self.queue.clone();
                self.admin().expect("the broker serves").delete_queue(&queue).unwrap();
            }
            Fault::Overflow => {
                self.proxies.iter().for_each(|proxy| proxy.refuse());
                self.publishers.burst(BURST);
            }
            Fault::RotatePassword => {
                self.passwords += 1;
                self.cluster.nodes[0].change_password(USER, &self.password());
                self.proxies.iter().for_each(|proxy| proxy.cut());
            }
        }
    }

    /// Puts it right again. What takes its time is waited for when everything is.
    pub fn end(&mut self, Planned { fault, .. }: Planned) {
        match fault {
            Fault::KillOsel | Fault::StopOsel => self.start_osel(),
            Fault::KillNode | Fault::KillMajority => {
                for node in std::mem::take(&mut self.down) {
                    self.cluster.nodes[node].begin_restart();
                }
            }
            Fault::RefuseNetwork | Fault::StallNetwork | Fault::DelayNetwork | Fault::Overflow => {
                self.proxies.iter().for_each(|proxy| proxy.resume());
            }
            Fault::FillDisk => {
                if let Some(disk) = &self.disk {
                    disk.free();
                }
            }
            Fault::StopDatabase => self.database().run(),
            Fault::RotatePassword => self.set_url(),
            Fault::CutNetwork | Fault::DeleteQueue => {}
        }
    }

    fn database(&self) -> &Postgres {
        self.database.as_ref().expect("it is stopped only where there is one")
    }

    fn node(&self, pick: u64) -> usize {
        (pick % self.ground.nodes as u64) as usize
    }

    fn kill_node(&mut self, node: usize) {
        self.cluster.nodes[node].kill();
        self.down.push(node);
    }

    fn kill_majority(&mut self, left: usize) {
        (0..self.ground.nodes).filter(|node| *node != left).for_each(|node| self.kill_node(node));
        // It closes its port, and forgets what is not durable.
        let port = self.cluster.nodes[left].port();
        until("the node that is left does not serve", LIMIT, || {
            TcpStream::connect(("127.0.0.1", port)).is_err()
        });
    }
}
