//! The seccomp filters of a policy.
//!
//! Two are stacked, and the kernel takes the stricter action of both: one lets through the calls
//! that are on the list, the other stops some of them for their arguments. What they stop goes to
//! the supervisor, which gives the answer, counts and names it. Without a supervisor the kernel
//! answers ENOSYS, so nothing that is refused can ever happen.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch,
};
use syscalls::Sysno;

use super::{
    policy::{Policy, Rule},
    table::{Answer, Condition},
};

/// A number that goes to the supervisor with the stop; only that there is one matters.
const STOPPED: u32 = 1;

/// The programs for `policy`, to be applied in this order. With `every`, all calls are stopped.
///
/// # Errors
/// If the table holds a rule that a filter cannot express.
pub(super) fn programs(policy: &Policy, every: bool) -> Result<Vec<BpfProgram>> {
    let stop = SeccompAction::Trace(STOPPED);
    let arguments = SeccompFilter::new(
        stopped_for_arguments(policy)?,
        SeccompAction::Allow,
        stop.clone(),
        TargetArch::x86_64,
    );
    let list = SeccompFilter::new(
        if every {
            BTreeMap::new()
        } else {
            listed(policy)
        },
        stop,
        SeccompAction::Allow,
        TargetArch::x86_64,
    );
    [arguments, list]
        .into_iter()
        .map(|filter| {
            let program = filter.and_then(BpfProgram::try_from);
            program.context("the table of system calls makes no filter")
        })
        .collect()
}

/// The calls that nobody has to look at, as far as only their numbers count.
fn listed(policy: &Policy) -> BTreeMap<i64, Vec<SeccompRule>> {
    let calls: BTreeSet<Sysno> = policy
        .rules
        .iter()
        .flat_map(|rule| rule.row.calls.iter().copied())
        .collect();
    calls
        .into_iter()
        .filter(|call| policy.plain(*call).is_some_and(is_of_no_interest))
        .map(|call| (i64::from(call.id()), Vec::new()))
        .collect()
}

fn is_of_no_interest(rule: &Rule) -> bool {
    rule.answer == Answer::Allow && rule.row.unwanted.is_none()
}

/// The calls that somebody has to look at for their arguments.
fn stopped_for_arguments(policy: &Policy) -> Result<BTreeMap<i64, Vec<SeccompRule>>> {
    let mut stopped: BTreeMap<i64, Vec<SeccompRule>> = BTreeMap::new();
    let mut always = BTreeSet::new();
    for rule in &policy.rules {
        let row = &rule.row;
        let harmless = is_of_no_interest(rule) && !rule.emulated();
        if row.flag.is_none() || harmless {
            continue;
        }
        for call in &row.calls {
            let number = i64::from(call.id());
            let rules = stopped.entry(number).or_default();
            if row.conditions.is_empty() {
                always.insert(number);
                continue;
            }
            let conditions = row.conditions.iter().map(compile);
            let rule = SeccompRule::new(conditions.collect::<Result<_>>()?);
            rules.push(rule.with_context(|| format!("the row of {call}"))?);
        }
    }
    // An empty list matches every call of that number.
    for number in always {
        stopped.insert(number, Vec::new());
    }
    Ok(stopped)
}

fn compile(condition: &Condition) -> Result<SeccompCondition> {
    SeccompCondition::new(
        condition.argument,
        SeccompCmpArgLen::Dword,
        SeccompCmpOp::MaskedEq(condition.mask.into()),
        condition.is.into(),
    )
    .context("a condition of xtask/userworld")
}
