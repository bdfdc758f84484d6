//! Whether a model can judge here: the machine has to offer what it judges by.

use std::path::{Path, PathBuf};

use thiserror::Error;
use watchkeeper_collect::derive;
use watchkeeper_core::{GapReason, Reading, Section};
use watchkeeper_report::Column;

use crate::model_file::{shown, train_command};

/// Why a model cannot judge here.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum FitnessError {
    /// It judges by something that cannot be read here.
    #[error(
        "{} judges by {title}, which cannot be read here ({}: {}{}); learn without it: {} --features ...",
        shown(path),
        section.words(),
        reason.word(),
        remedy.as_ref().map_or(String::new(), |remedy| format!("; {remedy}")),
        train_command(path)
    )]
    NotOffered {
        /// The model.
        path: PathBuf,
        /// The column.
        title: &'static str,
        /// What is missing.
        section: Section,
        /// Why.
        reason: GapReason,
        /// What would help.
        remedy: Option<String>,
    },
}

/// Whether a first look has everything that the features need. What is only unknown for now is let pass, such as the use
/// of swap space where there is none: looks without it are not judged.
pub fn offered(features: &[&'static Column], path: &Path, first: &Reading) -> Result<(), FitnessError> {
    let snapshot = derive(None, first);
    for column in features {
        let metric = column.source.metric();
        let section = section(metric);
        // Some numbers need a second look; for these the counters have to be there.
        let is_there = match section {
            Section::Cpu => first.host.cpu.is_some(),
            Section::Disks => first.disks.is_some(),
            Section::Interfaces => first.interfaces.is_some(),
            _ => column.value(&snapshot).is_some(),
        };
        let gap = first.gaps.iter().find(|gap| gap.section == section);
        if let (false, Some(gap)) = (is_there, gap) {
            let (reason, remedy) = (gap.reason, gap.remedy.clone());
            return Err(FitnessError::NotOffered {
                path: path.to_owned(),
                title: column.title,
                section,
                reason,
                remedy,
            });
        }
    }
    Ok(())
}

/// The part of a reading that a metric of the machine comes from.
fn section(metric: &str) -> Section {
    const SECTIONS: [(&str, Section); 9] = [
        ("system.cpu.", Section::Cpu),
        ("system.memory.", Section::Memory),
        ("system.paging.", Section::Memory),
        ("system.linux.load.", Section::Load),
        ("system.linux.pressure.", Section::Pressure),
        ("system.disk.", Section::Disks),
        ("system.network.io.", Section::Interfaces),
        ("system.network.connection.", Section::Peers),
        ("system.process.", Section::Processes),
    ];
    let found = SECTIONS.iter().find(|(prefix, _)| metric.starts_with(prefix));
    found.map_or(Section::Ticks, |(_, section)| *section)
}

#[cfg(test)]
mod tests {
    use super::*;
    use watchkeeper_collect::CollectConfig;
    use watchkeeper_core::Gap;
    use watchkeeper_report::{column, columns};

    fn reading() -> Reading {
        watchkeeper_collect::open(&CollectConfig::default()).unwrap().read().unwrap()
    }

    #[test]
    fn every_column_comes_from_a_section() {
        for column in columns() {
            assert_ne!(section(column.source.metric()), Section::Ticks, "{}", column.title);
        }
    }

    #[test]
    fn what_the_machine_does_not_offer_is_refused_and_what_is_only_unknown_is_not() {
        let path = Path::new("anomaly_detector.model");
        let all: Vec<&'static Column> = columns().iter().collect();
        let mut reading = reading();
        reading.gaps.clear();
        reading.host.swap = None;
        assert_eq!(offered(&all, path, &reading), Ok(()), "unknown for now");
        let gap = |section, reason, remedy: Option<&str>| Gap {
            section,
            reason,
            count: 1,
            remedy: remedy.map(str::to_owned),
        };
        reading.gaps =
            vec![gap(Section::Cpu, GapReason::Unsupported, None), gap(Section::Disks, GapReason::Unsupported, None)];
        reading.gaps.push(gap(Section::Pressure, GapReason::Unsupported, Some("boot with psi=1")));
        reading.host.pressure = None;
        let error = offered(&all, path, &reading).unwrap_err();
        assert_eq!(
            error.to_string(),
            "anomaly_detector.model judges by CPU Pressure (%), which cannot be read here (pressure stall information: \
             unsupported; boot with psi=1); learn without it: `watchkeeper train` --features ..."
        );
        reading.disks = None;
        let disk = [column("disk-write").unwrap()];
        assert!(offered(&disk, path, &reading).is_err_and(|error| error.to_string().contains("(disks: unsupported)")));
        assert_eq!(
            offered(&[column("cpu").unwrap()], path, &reading),
            Ok(()),
            "modes that are missing are no CPU that is"
        );
    }
}
