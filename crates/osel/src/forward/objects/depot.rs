//! What is asked of a store of objects.

use hyper::body::Bytes;

use crate::forward::receiver::Handed;

/// An object on its way into a store.
#[derive(Clone, Debug)]
pub(in crate::forward) struct Object {
    /// Its name: letters, digits and `-_.=/`, which need no quoting.
    pub(in crate::forward) name: String,
    /// What is in it, packed.
    pub(in crate::forward) body: Bytes,
    /// What that is said to be.
    pub(in crate::forward) content_type: &'static str,
}

/// A store of objects.
pub(in crate::forward) trait Depot: Send {
    /// Where it is, for people: without a secret.
    fn target(&self) -> String;

    /// Puts an object there. It is there as a whole once that is answered well.
    fn put(&mut self, object: Object) -> Handed<'_, ()>;

    /// Names of objects that begin so, the first thousand or so of them.
    fn listed<'a>(&'a mut self, beginning: &'a str) -> Handed<'a, Vec<String>>;

    /// Lets go of its connection, and of what it knows of who we are.
    fn reset(&mut self);
}
