//! What goes wrong, and how it stops.

use osel_core::intake::{BatchNumber, BrokerTrouble, ConnectionNumber, IntakeInput, StoreTrouble};

use super::world::World;

impl World {
    /// One fault, by chance.
    pub(super) fn fault(&mut self) {
        self.report.faults += 1;
        match self.random.below(12) {
            0 | 1 => self.cut(),
            2 => {
                let host = self.random.index(self.broker.hosts_up.len());
                self.broker.hosts_up[host] = false;
                self.cut();
                self.heal_later();
            }
            3 => {
                self.broker.hosts_up.fill(false);
                let keeps_binding = self.random.below(2) == 0;
                self.broker.restart(self.now, keeps_binding);
                self.heal_later();
            }
            4 => self.broker.unbind(self.now),
            5 => self.broker.delete(self.now),
            6 | 7 => {
                let trouble =
                    if self.random.below(2) == 0 { StoreTrouble::Transient } else { StoreTrouble::Permanent };
                self.store.trouble = Some(trouble);
                self.heal_later();
            }
            8 => self.kill(),
            9 => self.depose(),
            10 if self.faults.clocks => {
                let hours = i64::try_from(self.random.below(5)).unwrap_or(0) - 2;
                self.clock_ahead += hours * 3_600_000_000;
            }
            10 => self.stop(),
            _ => self.nonsense(),
        }
    }

    /// Connections break; the clients find out when they look.
    fn cut(&mut self) {
        for process in &self.processes {
            if let Some((_, consumer)) = process.connection {
                self.broker.disconnect(consumer, self.now);
            }
        }
    }

    fn heal_later(&mut self) {
        let span = if self.random.below(4) == 0 { 2_000_000_000 } else { 5_000_000 };
        self.heal_at = Some(self.soon(span));
    }

    fn restart_later(&mut self) {
        let span = if self.random.below(4) == 0 { 600_000_000 } else { 500_000 };
        self.restart_at = Some(self.soon(span));
    }

    /// A process dies between two actions.
    pub(super) fn kill(&mut self) {
        let Some(index) = self.processes.iter().position(|process| process.leads(&self.store)) else {
            return;
        };
        self.report.kills += 1;
        self.processes[index].die(&mut self.store, &mut self.random);
        self.bury(index);
    }

    /// A process is no more; the broker may notice late.
    pub(super) fn bury(&mut self, index: usize) {
        let process = self.processes.remove(index);
        if let Some((_, consumer)) = process.connection {
            let span = if self.random.below(3) == 0 { 120_000_000 } else { 0 };
            let at = self.soon(span);
            self.half_open.push((at, consumer));
        }
        let led = process.leads(&self.store);
        process.settle_accounts(self.now, self.faults.clocks, &mut self.report);
        if led && !self.is_stopping {
            self.restart_later();
        }
    }

    /// Another process takes the lead; the old one finds out when it commits, or when it is told.
    fn depose(&mut self) {
        if self.restart_at.is_none() && self.processes.len() < 3 {
            self.report.takeovers += 1;
            self.lead_anew();
        }
    }

    /// A leader is asked to stop.
    fn stop(&mut self) {
        if let Some(process) = self.processes.iter_mut().find(|process| process.leads(&self.store)) {
            process.inbox.push_back(IntakeInput::Stop);
        }
    }

    /// A driver tells what makes no sense, or makes none any more.
    fn nonsense(&mut self) {
        let number = self.random.below(4);
        let chance = self.random.bits();
        let connection = ConnectionNumber(number);
        let stale = BatchNumber(1 << 40);
        let what = match self.random.below(8) {
            0 => IntakeInput::Committed { batch: stale },
            1 => IntakeInput::CommitFailed { batch: stale, why: StoreTrouble::Transient },
            2 => IntakeInput::Tick,
            3 => IntakeInput::Blocked { connection },
            4 => IntakeInput::Unblocked { connection },
            5 => IntakeInput::Idle,
            6 => IntakeInput::Renewed,
            _ => {
                let connection = ConnectionNumber(1 << 40);
                IntakeInput::ConnectFailed { connection, why: BrokerTrouble::Disorder, chance }
            }
        };
        for process in &mut self.processes {
            process.inbox.push_back(what);
        }
    }

    /// Nothing goes wrong any more, and who does not lead is told.
    pub(super) fn heal(&mut self) {
        self.heal_at = Some(self.now);
        self.store.is_flaky = false;
        if self.restart_at.is_none() && !self.processes.iter().any(|process| process.leads(&self.store)) {
            self.restart_at = Some(self.now);
        }
        for index in (0..self.processes.len()).rev() {
            if !self.processes[index].leads(&self.store) {
                self.bury(index);
            }
        }
    }
}
