//! Whose interactions are counted: everyone's, or those on one side of the hold-out.
//!
//! A user is held out by the first 32 bits of `md5(concat(salt, user_id))`, the id written as text: the same users on
//! every engine, for every window, and as long as the salt stays. `md5`, `concat` and the comparison of lower-case
//! hexadecimal digits mean the same in DataFusion, Ballista and Spark.

use serde::{Deserialize, Serialize};

use super::error::Error;

/// The users that an evaluation keeps for itself: counts that are judged leave them out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HeldOut {
    /// Their share, 0 to 0.5; 0 holds nobody out.
    pub share: f64,
    /// What is hashed before the user's id; another salt holds other users out. Letters, digits, `-` and `_`.
    pub salt: String,
}

impl Default for HeldOut {
    fn default() -> Self {
        Self { share: 0.1, salt: "segue".to_owned() }
    }
}

/// Which users a statement is about.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Users {
    /// All of them: what is published counts everyone.
    #[default]
    Everyone,
    /// All but those held out.
    Kept(HeldOut),
    /// Those held out.
    HeldOut(HeldOut),
}

impl HeldOut {
    /// Refuses what no statement can be made of.
    pub fn check(&self) -> Result<(), Error> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        let refused = |field, value, problem| Err(Error::HeldOut { field, value, problem });
        if !(0.0..=0.5).contains(&self.share) {
            return refused("share", self.share.to_string(), "a share of held-out users is from 0 to 0.5");
        }
        if !self.salt.bytes().all(plain) {
            return refused("salt", self.salt.clone(), "write it with letters, digits, - and _ only");
        }
        Ok(())
    }

    /// The expression for a user's part in fine-tuning: 2 where held out, 1 for the `share` of all users who come next in
    /// the hash's order, 0 for the rest.
    pub(super) fn part(&self, share: f64) -> String {
        let (place, first_kept) = self.places();
        let first_trained = Self { share: self.share + share, ..self.clone() }.places().1;
        format!("CASE WHEN {place} < {first_kept} THEN 2 WHEN {place} < {first_trained} THEN 1 ELSE 0 END")
    }

    /// The user's place in the hash's order, and the first place that is kept; of that, the first digits are enough.
    fn places(&self) -> (String, String) {
        let places = 2_f64.powi(32);
        // At most 2^31 after the check, 2^32 - 2^30 with a validation share of up to 0.25 beside it.
        let first_kept = (self.share * places).round() as u64;
        (format!("md5(concat('{}', user_id))", self.salt), format!("'{first_kept:08x}'"))
    }
}

impl Users {
    /// The condition that `positives` must fulfil; `None` where there is none.
    pub(super) fn condition(&self) -> Option<String> {
        match self {
            Self::Everyone => None,
            Self::Kept(held_out) => {
                let (place, first_kept) = held_out.places();
                Some(format!("{place} >= {first_kept}"))
            }
            Self::HeldOut(held_out) => {
                let (place, first_kept) = held_out.places();
                Some(format!("{place} < {first_kept}"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenth_of_the_hashes_is_held_out() {
        let users = Users::HeldOut(HeldOut::default());
        let condition = "md5(concat('segue', user_id)) < '1999999a'";
        assert_eq!(users.condition().as_deref(), Some(condition));
        assert_eq!(Users::Everyone.condition(), None);
    }

    #[test]
    fn what_no_statement_can_be_made_of_is_refused() {
        let with = |share, salt: &str| HeldOut { share, salt: salt.to_owned() }.check();
        assert!(with(0.0, "").is_ok() && with(0.5, "a-Z_9").is_ok());
        for (share, salt, says) in [(0.6, "a", "0.6"), (f64::NAN, "a", "NaN"), (0.1, "a' OR 1=1", "letters")] {
            let error = with(share, salt).unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
    }
}
