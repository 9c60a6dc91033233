//! Which models may be asked: the last judgement says so.

use std::fmt;

use rustix::fs::FlockOperation;
use serde::{Deserialize, Serialize};

use super::ModelError;
use crate::ids::ModelId;
use crate::store::error::StoreError;
use crate::store::judgement::{add, all, latest};
use crate::store::{Judgement, Note, Store};

/// What a model's last judgement says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ModelState {
    /// Nobody has judged it.
    Candidate,
    /// A gate held it, until someone approves or rejects it.
    Held,
    /// It may be asked: its gates let it through, or someone did.
    Approved,
    /// It is not asked any more: someone rejected it, or went back to an earlier one.
    Retired,
}

impl fmt::Display for ModelState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Candidate => "candidate",
            Self::Held => "held",
            Self::Approved => "approved",
            Self::Retired => "retired",
        })
    }
}

impl Store {
    /// Every judgement of a model, oldest first.
    pub fn model_judgements(&self, model: ModelId) -> Result<Vec<Judgement<ModelState>>, StoreError> {
        all(&self.model_dir(model))
    }

    /// A model's state.
    pub fn model_state(&self, model: ModelId) -> Result<ModelState, StoreError> {
        let last: Option<Judgement<ModelState>> = latest(&self.model_dir(model))?;
        Ok(last.map_or(ModelState::Candidate, |judgement| judgement.state))
    }

    /// The model that is asked: the newest approved one.
    pub fn current_model(&self) -> Result<Option<ModelId>, StoreError> {
        Ok(self.approved()?.first().copied())
    }

    /// The approved models, newest first.
    fn approved(&self) -> Result<Vec<ModelId>, StoreError> {
        let mut approved = Vec::new();
        for model in self.models()? {
            if self.model_state(model)? == ModelState::Approved {
                approved.push(model);
            }
        }
        Ok(approved)
    }

    /// Lets a model be asked, whatever its gates said. `note.why` is the reason, which must be given.
    pub fn approve_model(&self, model: ModelId, note: &Note) -> Result<Judgement<ModelState>, StoreError> {
        self.judge_model(model, ModelState::Approved, note)
    }

    /// Retires a model. `note.why` is the reason, which must be given. Tables that it predicted stay as they are.
    pub fn reject_model(&self, model: ModelId, note: &Note) -> Result<Judgement<ModelState>, StoreError> {
        self.judge_model(model, ModelState::Retired, note)
    }

    /// Goes back to `to`, or to the approved model before the current one: retires all that are newer. Returns the
    /// model that is asked from here on.
    pub fn rollback_model(&self, to: Option<ModelId>, note: &Note) -> Result<ModelId, StoreError> {
        let approved = self.approved()?;
        let to = match to {
            Some(to) => to,
            None => approved.get(1).copied().ok_or(StoreError::Model(ModelError::NothingBefore))?,
        };
        self.model(to)?;
        let state = self.model_state(to)?;
        if state != ModelState::Approved {
            return Err(StoreError::Model(ModelError::NotApproved { model: to, state }));
        }
        // The newest last: whatever ends this midway, no model in between is asked.
        for &newer in approved.iter().filter(|&&model| model > to).rev() {
            self.judge_model(newer, ModelState::Retired, note)?;
        }
        Ok(to)
    }

    fn judge_model(&self, model: ModelId, state: ModelState, note: &Note) -> Result<Judgement<ModelState>, StoreError> {
        if note.why.trim().is_empty() {
            return Err(StoreError::NoReason { what: model.to_string(), state: state.to_string() });
        }
        let _shared = self.lock(FlockOperation::LockShared)?;
        self.model(model)?;
        add(&self.model_dir(model), state, note, &self.drafts_dir())
    }
}
