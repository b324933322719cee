//! The verifier: judges an evidence file offline, trusting nothing of the appliance.
