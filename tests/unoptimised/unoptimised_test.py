"""Compares a program compiled with -O0 with the same one compiled with -O3, and the warnings that they get.

    unoptimised_test.py COMPILER_ID MODEL_FOLDER UNOPTIMISED OPTIMISED

With g++ the kernels are optimised whatever the flags are: no warning, and at least LEAST_RATIO of the speed. With
another compiler the unoptimised program has to be warned once. Others may use the machine, so the fastest run of each
counts, the two take turns, and the first rounds that are good enough end the test.
"""

import subprocess
import sys

LEAST_RATIO = 0.8
ROUNDS = 10


def run(program, folder):
    lines = subprocess.run([program, folder], check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()
    return {name: float(value) for name, value in (line.split() for line in lines)}


def main():
    compiler, folder, *programs = sys.argv[1:]
    best = [run(program, folder) for program in programs]
    warnings = [int(result.pop("warnings")) for result in best]
    expected = [0, 0] if compiler == "GNU" else [1, 0]
    if warnings != expected:
        print(f"warnings with -O0 and with -O3: {warnings}, expected {expected}")
        return 1
    if compiler != "GNU":
        return 0
    for _ in range(ROUNDS):
        ratios = {weights: best[1][weights] / best[0][weights] for weights in best[0]}
        print("speed with -O0 as a share of that with -O3:", {w: round(ratio, 3) for w, ratio in ratios.items()})
        if min(ratios.values()) >= LEAST_RATIO:
            return 0
        for program, results in zip(programs, best):
            for weights, milliseconds in run(program, folder).items():
                if weights in results:
                    results[weights] = min(results[weights], milliseconds)
    print(f"should be at least {LEAST_RATIO}")
    return 1


if __name__ == "__main__":
    sys.exit(main())
