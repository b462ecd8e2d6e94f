# The legs of CI, as functions; .ci/run gives their order.

NEWER_PYTHONS="3.13 3.12"
OLDEST_PYTHON=3.11

# Processors to compile for: a name that LLVM knows, and features.
SSE=+sse2,+sse3,+ssse3,+sse4.1,+sse4.2,+popcnt,+64bit
AVX2="haswell $SSE,+avx,+avx2,+fma,+bmi,+bmi2,+lzcnt,+f16c,+cx16,+movbe"
BYTES_16_FMA="generic $SSE,+avx,+fma"
BYTES_16="generic $SSE"

TIMES=()  # one line per leg: minutes, name, and why it was left out
REMARK=

# leg NAME COMMAND...: run a leg, print its name and, in the end, its time
leg() {
    local name=$1 began=$SECONDS seconds
    shift
    REMARK=
    RUNNING=$name
    printf '\n== %s\n' "$name"
    "$@"
    seconds=$((SECONDS - began))
    printf '== %s: %d s\n' "$name" "$seconds"
    TIMES+=("$(printf '%3d:%02d  %s%s' $((seconds / 60)) $((seconds % 60)) "$name" "$REMARK")")
}

# left_out WHY: say that this machine cannot run the leg, or need not
left_out() {
    printf 'left out: %s\n' "$1"
    REMARK=" (left out: $1)"
}

# summary: the table of legs; the failed one, if any, comes last
summary() {
    local status=$?
    [ ${#TIMES[@]} -eq 0 ] || printf '%s\n' '' '== Legs, minutes' "${TIMES[@]}"
    [ $status -eq 0 ] || printf '\n== FAILED: %s\n' "$RUNNING"
    return $status
}

# readme TEXT: print and run the bash block of README.md that holds a text, as it stands
readme() {
    local block
    block=$(awk -v text="$1" '
        /^```bash$/ { inside = 1; block = ""; next }
        /^```$/     { if (inside && index(block, text)) { printf "%s", block; exit }
                      inside = 0 }
        inside      { block = block $0 "\n" }' README.md)
    [ -n "$block" ] || { echo "README.md has no bash block with '$1'"; return 1; }
    printf '%s\n' "$block"
    bash -euo pipefail -c "$block" < /dev/null
}

# python_of VERSION: print the path of such an interpreter, if one starts and can make
# environments.  A command of that name may be a version manager's and start nothing.
python_of() {
    local candidate
    local home=${HOME:-/nonexistent}
    for candidate in "python$1" python3 \
        "${PYENV_ROOT:-$home/.pyenv}"/versions/"$1".*/bin/python \
        "${UV_PYTHON_INSTALL_DIR:-$home/.local/share/uv/python}"/cpython-"$1".*/bin/python3
    do
        "$candidate" - "$1" 2> /dev/null <<'END' && return
import ensurepip, sys, sysconfig, venv
free_threaded = sysconfig.get_config_var("Py_GIL_DISABLED")
if free_threaded or sys.argv[1] != "{}.{}".format(*sys.version_info):
    sys.exit(1)
print(sys.executable)
END
    done
    return 1
}

# needless FEATURES: print why code for such a processor cannot run here, or is what runs
# anyway; print nothing where it is worth a leg
needless() {
    .venv/bin/python - "$1" <<'END'
import sys
from llvmlite import binding

wanted = {name[1:] for name in sys.argv[1].split(",")}
host = {name for name, on in binding.get_host_cpu_features().items() if on}
used = {"fma", "avx2", "avx512f", "avx512vnni", "avxvnni"}
if wanted - host:
    print("this processor lacks", *sorted(wanted - host))
elif not (host - wanted) & used:
    print("this processor has no wider vectors and no products of bytes")
END
}

# kernels_of PYTHON: print the folder in which its tests keep compiled kernels
kernels_of() {
    "$1" tests/conftest.py
}

# compiled COMMAND...: run it with the compiled kernels of the tests.  That the kernels
# compile without a cache is what the main job and the tests show.
compiled() {
    (
        NUMBA_CACHE_DIR=$(kernels_of .venv/bin/python)
        export NUMBA_CACHE_DIR FASTKMEANS_BENCH_CACHE=$NUMBA_CACHE_DIR
        "$@"
    )
}

# digests PYTHON [OPTION...]: fits must have the committed digests.  They share the
# compiled kernels of the tests.
digests() {
    local python=$1
    shift
    NUMBA_CACHE_DIR=$(kernels_of "$python") \
        "$python" tests/digests.py --check tests/digests.txt "$@"
}

# native_digests [OPTION...]: digests with the code that runs anyway
native_digests() {
    if .venv/bin/python -c 'from llvmlite.binding import get_host_cpu_features as host
raise SystemExit(host().get("fma") is not False)'; then
        left_out "this processor has no fused multiply-adds"
        return
    fi
    digests .venv/bin/python "$@"
}

# masked PROCESSOR MARKS: tests and digests with code for a smaller processor.  The
# digests are those of processors with fused multiply-adds.
masked() {
    local cpu features why
    read -r cpu features <<< "$1"
    why=$(needless "$features")
    if [ -n "$why" ]; then
        left_out "$why"
        return
    fi
    (
        export NUMBA_CPU_NAME=$cpu NUMBA_CPU_FEATURES=$features
        .venv/bin/python -m pytest -q -m "$2"
        case ,$features, in *,+fma,*) digests .venv/bin/python ;; esac
    )
}

# half_of_mutations: are faults made on purpose noticed?  All of them take too long for every
# commit: the last digit of the commit decides which half is tried.
half_of_mutations() {
    local commit
    commit=$(git rev-parse HEAD 2> /dev/null) || commit=0
    .venv/bin/python tests/mutations.py --passed --half "$((16#${commit: -1}))"
}

# without_jit: the tests that run in Python alone, and the share of our lines they reach
without_jit() {
    NUMBA_DISABLE_JIT=1 .venv/bin/python -m coverage run -m pytest -q -m no_jit
    .venv/bin/python -m coverage report
}

# environment FOLDER PYTHON [OPTION...]: a virtual environment with fastkmeans and its tests
environment() {
    local folder=$1 python=$2
    shift 2
    "$python" --version
    "$python" -m venv "$folder"
    nice "$folder/bin/pip" install --quiet --editable '.[test]' "$@"
}

# begin_environments: install other versions while the main job runs, mostly on one core
begin_environments() {
    with_oldest > .venv-oldest.log 2>&1 &
    OLDEST=$!
    with_newest > .venv-newest.log 2>&1 &
    NEWEST=$!
}

# end_environments: wait for them
end_environments() {
    local status=0
    wait "$OLDEST" || status=1
    wait "$NEWEST" || status=1
    cat .venv-oldest.log .venv-newest.log
    rm .venv-oldest.log .venv-newest.log
    return $status
}

# with_oldest: an environment with the oldest declared versions of Python and every library
with_oldest() {
    local python
    python=$(python_of $OLDEST_PYTHON) || return 0
    mkdir -p .venv-oldest
    "$python" tests/floors.py > .venv-oldest/floors.txt
    cat .venv-oldest/floors.txt
    environment .venv-oldest "$python" --constraint .venv-oldest/floors.txt
}

# with_newest: an environment on the newest Python here that is not README's
with_newest() {
    local version python ours
    ours=$(python3 -c 'import sys; print("{}.{}".format(*sys.version_info))')
    for version in $NEWER_PYTHONS; do
        if [ "$version" != "$ours" ] && python=$(python_of "$version"); then
            environment .venv-newest "$python"
            return
        fi
    done
}

# oldest MARKS: tests with the oldest declared versions
oldest() {
    if [ ! -d .venv-oldest ]; then
        left_out "no Python $OLDEST_PYTHON"
        return
    fi
    .venv-oldest/bin/python -m pytest -q -m "$1"
}

# newest MARKS: tests and digests on the newest Python
newest() {
    if [ ! -d .venv-newest ]; then
        left_out "no Python ${NEWER_PYTHONS// / or } besides README's"
        return
    fi
    .venv-newest/bin/python -m pytest -q -m "$1"
    digests .venv-newest/bin/python
}

# together NAME COMMAND NAME COMMAND...: legs, two at a time; a command is a function and its
# arguments as one word.  What a leg prints appears when it ends.
together() {
    local number=0 running=0 code seconds name status=0
    rm -f .venv/legs.txt
    while [ $# -gt 0 ]; do
        number=$((number + 1))
        in_background "$1" "$2" ".venv/leg$number.log" &
        running=$((running + 1))
        shift 2
        if [ $running -eq 2 ]; then
            wait -n || true
            running=1
        fi
    done
    wait
    while read -r code seconds name; do
        TIMES+=("$(printf '%3d:%02d  %s' $((seconds / 60)) $((seconds % 60)) "$name")")
        if [ "$code" -ne 0 ]; then
            RUNNING=${name%% (left out*}
            status=1
        fi
    done < .venv/legs.txt
    [ "$(wc -l < .venv/legs.txt)" -eq "$number" ] || status=1
    return $status
}

# in_background NAME COMMAND LOG: run a leg, then print it and note how it ended
in_background() {
    RUNNING=$1 LOG=$3 BEGAN=$SECONDS
    trap 'ended $?' EXIT
    eval "$2" > "$LOG" 2>&1
}

# ended CODE: print the leg that ran in the background, and note its time
ended() {
    local seconds=$((SECONDS - BEGAN)) remark
    remark=$(sed -n 's/^left out: \(.*\)/ (left out: \1)/p' "$LOG")
    printf '\n== %s\n%s\n== %s: %d s\n' "$RUNNING" "$(cat "$LOG")" "$RUNNING" "$seconds"
    printf '%d %d %s\n' "$1" "$seconds" "$RUNNING$remark" >> .venv/legs.txt
}
