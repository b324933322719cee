//! Test builds with the feature `weaken`: each layer can be left away alone, and
//! the sandbox then still starts; what gets through is shown by tests/escape.

use casemate_agentd::sandbox::Layer;

use super::ground::{exec_without, ground, verdict};

#[test]
fn each_layer_can_be_left_away_alone() {
    for layer in Layer::all() {
        let output = exec_without(ground(), "desktop", layer)
            .args(["--", "/agent/probe", "nothing", "identity"])
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(0), "{layer}: {output:?}");
        assert_eq!(verdict(&output, "nothing"), "ok", "{layer}");
    }
}
