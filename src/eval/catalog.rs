use super::EvalError;
use super::scenario::Scenario;

/// Every scenario: its name and its file. The order is that of `all`.
const SCENARIOS: [(&str, &str); 7] = [
    ("live-mcp", include_str!("../../evals/live-mcp.yaml")),
    ("continuity", include_str!("../../evals/continuity.yaml")),
    ("isolated-write", include_str!("../../evals/isolated-write.yaml")),
    ("multi-worker", include_str!("../../evals/multi-worker.yaml")),
    ("integrate", include_str!("../../evals/integrate.yaml")),
    ("negative", include_str!("../../evals/negative.yaml")),
    ("multi-client", include_str!("../../evals/multi-client.yaml")),
];

/// The scenarios of these names, in their order; `all` stands for all of them, as does no name. A name
/// that ends in `.yaml` is a file.
pub(super) fn scenarios(names: &[String]) -> Result<Vec<(String, Scenario)>, EvalError> {
    let mut texts: Vec<(String, String)> = Vec::new();
    let all = SCENARIOS.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
    if names.is_empty() {
        texts.extend(all.clone());
    }
    for name in names {
        let malformed = |reason| EvalError::Malformed { name: name.clone(), reason };
        if name == "all" {
            texts.extend(all.clone());
        } else if name.ends_with(".yaml") {
            let text = std::fs::read_to_string(name).map_err(|e| malformed(e.to_string()))?;
            texts.push((name.clone(), text));
        } else {
            let unknown = || EvalError::Unknown { name: name.clone(), known: known() };
            texts.push(all.clone().find(|(known, _)| known == name).ok_or_else(unknown)?);
        }
    }
    let read = |(name, text): (String, String)| {
        let malformed = |reason| EvalError::Malformed { name: name.clone(), reason };
        Ok((name.clone(), Scenario::read(&text).map_err(malformed)?))
    };
    texts.into_iter().map(read).collect()
}

fn known() -> Vec<&'static str> {
    SCENARIOS.iter().map(|(name, _)| *name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scenario_can_be_read_and_ends_with_the_whole_base() {
        let all = scenarios(&[]).unwrap();
        assert_eq!(all.len(), SCENARIOS.len());
        for (name, scenario) in &all {
            assert!(
                scenario.looks_at_the_base(),
                "{name} does not say what the base is at its end"
            );
        }
        assert!(matches!(scenarios(&["nonsense".to_owned()]), Err(EvalError::Unknown { .. })));
        assert_eq!(scenarios(&["negative".to_owned()]).unwrap()[0].0, "negative");
    }
}
