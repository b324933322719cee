#[test]
fn discover() {
    use super::attempts::ALL;
    use super::place::Host;
    use super::profiles::Inside;
    for layer in casemate_agentd::sandbox::Layer::all() {
        let host = Host::without(layer);
        for profile in ["desktop", "script"] {
            let mut inside = Inside::new(&host, profile);
            for (name, attempt) in ALL {
                if let Err(why) = inside.fails(name, attempt) {
                    println!("{layer} {profile} {name}: {why}");
                }
            }
        }
    }
}
