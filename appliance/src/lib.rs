//! The control daemon casemated and the operator's command casemate.
