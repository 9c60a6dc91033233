#!/usr/bin/env python3
"""The same adapter, learnt by transformers and peft: a plain loop over padded batches, for the time beside.

peer.py GGUF SAMPLES: SAMPLES is a directory that `segue finetune curate` wrote. Needs torch, transformers, peft and gguf.
Settings are those of `[finetune.embedded]` by default, but for one epoch; the loss is that of answer tokens only. Tells its
steps as `segue finetune run` does.
"""

import json
import math
import pathlib
import sys
import time

import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, AutoTokenizer

RANK, ALPHA, RATE, WARMUP, DECAY, CLIP, BATCH, SEED = 8, 16, 1e-3, 0.05, 0.01, 1.0, 16, 1
MATRICES = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def read(path, tokenizer):
    """Samples as (tokens, how many are the prompt's)."""
    samples = []
    for line in path.read_text().splitlines():
        *prompt, answer = json.loads(line)["messages"]
        text = tokenizer.apply_chat_template(prompt, tokenize=False, add_generation_prompt=True)
        tokens = tokenizer(text, add_special_tokens=False).input_ids
        said = tokenizer(answer["content"], add_special_tokens=False).input_ids
        samples.append((tokens + said + [tokenizer.convert_tokens_to_ids("<|im_end|>")], len(tokens)))
    return samples


def loss(model, samples):
    """The summed cross entropy of the answers' tokens, and how many these are."""
    longest = max(len(tokens) for tokens, _ in samples)
    ids = torch.zeros(len(samples), longest, dtype=torch.long)
    seen = torch.zeros_like(ids)
    labels = torch.full_like(ids, -100)
    for row, (tokens, prompt) in enumerate(samples):
        ids[row, : len(tokens)] = torch.tensor(tokens)
        seen[row, : len(tokens)] = 1
        labels[row, prompt : len(tokens)] = ids[row, prompt : len(tokens)]
    scores = model(input_ids=ids, attention_mask=seen).logits[:, :-1].flatten(0, 1)
    wanted = labels[:, 1:].flatten()
    answers = int((wanted != -100).sum())
    return torch.nn.functional.cross_entropy(scores, wanted, reduction="sum"), answers


def step_width(step, steps):
    warm = max(1, WARMUP * steps)
    if step <= warm:
        return RATE * step / warm
    return RATE * 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, steps - warm)))


def main(gguf, directory):
    torch.manual_seed(SEED)
    gguf, directory = pathlib.Path(gguf), pathlib.Path(directory)
    place = {"pretrained_model_name_or_path": str(gguf.parent), "gguf_file": gguf.name}
    tokenizer = AutoTokenizer.from_pretrained(**place)
    model = AutoModelForCausalLM.from_pretrained(**place, dtype=torch.float32)
    adapter = LoraConfig(r=RANK, lora_alpha=ALPHA, lora_dropout=0.0, target_modules=MATRICES, task_type="CAUSAL_LM")
    model = get_peft_model(model, adapter)
    learnt = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(learnt, lr=RATE, weight_decay=DECAY)
    train, validation = (read(directory / f"{name}.jsonl", tokenizer) for name in ("train", "validation"))
    order = torch.randperm(len(train)).tolist()
    batches = [[train[at] for at in order[first : first + BATCH]] for first in range(0, len(order), BATCH)]
    for step, batch in enumerate(batches, 1):
        for group in optimizer.param_groups:
            group["lr"] = step_width(step, len(batches))
        summed, answers = loss(model, batch)
        optimizer.zero_grad()
        (summed / answers).backward()
        torch.nn.utils.clip_grad_norm_(learnt, CLIP)
        optimizer.step()
        print(f"step {step}/{len(batches)}: loss {float(summed) / answers:.3f}", flush=True)
    with torch.no_grad():
        parts = [loss(model, validation[at : at + BATCH]) for at in range(0, len(validation), BATCH)]
    after = sum(float(part) for part, _ in parts) / sum(answers for _, answers in parts)
    print(f"step {len(batches)}/{len(batches)}: validation loss {after:.3f}", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
