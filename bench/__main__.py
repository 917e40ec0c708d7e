"""`make bench [ONLY=training,deletion]`: run the benchmarks, print the table, keep the numbers in bench/latest.json."""

import json
import platform
import sys
from pathlib import Path

from bench import deletion, grid, overhead, training
from bench.compare import Comparison

BENCHMARKS = {
    "overhead": overhead.compare,
    "training": training.compare,
    "deletion": deletion.compare,
    "grid": grid.compare,
}


def main(names: list[str]) -> None:
    """Run the benchmarks called `names`, all of them by default."""
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        sys.exit(f"error: no benchmark called {', '.join(unknown)}; choose from {', '.join(BENCHMARKS)}")
    results: list[Comparison] = []
    for name in names or BENCHMARKS:
        results += BENCHMARKS[name]()
    import torch

    print(f"\nPython {platform.python_version()}, torch {torch.__version__}, {torch.get_num_threads()} threads")
    print(f"{'benchmark':<34} {'ours':>9} {'plain':>9} {'figure':>20} {'[min, max]':>18} {'target':>9}  n")
    for result in results:
        print(result.line())
    Path(__file__).with_name("latest.json").write_text(json.dumps([each.record() for each in results], indent=2))


if __name__ == "__main__":
    main([name for word in sys.argv[1:] for name in word.split(",") if name])
