//! What a call is about: something that is there, drawn by chance.

use super::plan::{add_bare_project, zipf_place};
use super::stream::Generator;
use super::world::{World, next};

/// New rules go to one of so many groups made last, as people fill what they just made.
const RECENT: usize = 64;
/// So often a thing that is alive is looked for by chance before the call is given up.
const TRIES: usize = 40;

impl Generator {
    /// A project that nothing belongs to.
    pub(super) fn bare_project(&mut self) -> u32 {
        let last = next(&self.world.projects).saturating_sub(1);
        let found = self.world.project(last);
        if found.is_alive && found.groups.is_empty() { last } else { add_bare_project(&mut self.world) }
    }

    /// A project with networks and groups: the large ones more often.
    pub(super) fn some_project(&mut self) -> u32 {
        u32::try_from(zipf_place(self.planned, &mut self.random)).unwrap_or(0)
    }

    pub(super) fn some_network(&mut self, project: u32) -> Option<u32> {
        let networks = &self.world.project(project).networks;
        self.random.pick(networks).copied()
    }

    pub(super) fn some_port(&mut self) -> Option<u32> {
        self.alive(|world| world.ports.len(), |world, at| world.ports[at].is_alive)
    }

    pub(super) fn some_floating_ip(&mut self) -> Option<u32> {
        self.alive(|world| world.floating_ips.len(), |world, at| world.floating_ips[at].is_alive)
    }

    pub(super) fn any_group(&mut self) -> Option<u32> {
        self.alive(|world| world.groups.len(), |world, at| world.groups[at].is_alive)
    }

    pub(super) fn recent_group(&mut self) -> Option<u32> {
        let count = self.world.groups.len();
        let from = count.saturating_sub(RECENT);
        let drawn = (0..TRIES).map(|_| from + self.random.index(count - from));
        let found = drawn.into_iter().find(|at| self.world.groups[*at].is_alive)?;
        u32::try_from(found).ok()
    }

    pub(super) fn alive(
        &mut self,
        count: impl Fn(&World) -> usize,
        is_alive: impl Fn(&World, usize) -> bool,
    ) -> Option<u32> {
        let count = count(&self.world);
        let found = (0..TRIES)
            .map(|_| self.random.index(count))
            .find(|at| *at < count && is_alive(&self.world, *at))?;
        u32::try_from(found).ok()
    }
}
