"""Run every benchmark, or those named: ``python -m benchmarks prices features``."""

import importlib
import pkgutil
import subprocess
import sys

import benchmarks

_NOT_TIMED = {"__main__", "planted", "scorecard", "compare_engines"}


def main() -> int:
    known = sorted(
        m.name for m in pkgutil.iter_modules(benchmarks.__path__) if m.name not in _NOT_TIMED and not m.ispkg
    )
    names = sys.argv[1:] or known
    if unknown := [name for name in names if name not in known]:
        print(f"there is no benchmark {unknown[0]!r}; choose from {', '.join(known)}")
        return 2
    failed = []
    for name in names:
        module = importlib.util.find_spec(f"benchmarks.{name}")
        print(f"\n== {name}", flush=True)
        # A process each: peak memory and compiled caches of one do not touch the next.
        done = subprocess.run([sys.executable, "-W", "ignore", "-m", module.name], check=False)
        if done.returncode:
            failed.append(name)
    if failed:
        print(f"\nfailed: {', '.join(failed)}")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
