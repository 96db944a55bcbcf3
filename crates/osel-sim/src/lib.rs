//! A simulated cloud that speaks in notifications, and the judges that know the truth about it.
