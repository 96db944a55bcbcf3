//! Nobody is found in a view, whatever the record and the form.

mod forms;
mod hostile;
