# SPDX-License-Identifier: BSD-3-Clause
# Functions for the batch scripts: runs that survive a time limit. Sourced by them, never run.
# shellcheck shell=bash
#
# SLURM sends USR1 to the batch shell a minute before the time limit (--signal=B:USR1@60). The shell hands it on, the
# run finishes its iteration, leaves a checkpoint in its trace and exits with 75, and the job goes back into the queue.
# Started again, it resumes from the checkpoint. Any other end of a job (scancel, preemption, a node's failure) leaves
# the checkpoint too, but then it is for SLURM or the user to start it again.

readonly interrupted=75 bad_input=2 refused=4

# The site's modules and other bash first. A command of it that fails ends the job: what follows would run with other
# libraries than meant. Failures inside of files that it sources are theirs.
if [ -n "${QUANTIMED_SETUP:-}" ]; then
  folder_before=$PWD setup_status=0
  set +u  # modules and Spack use variables that are not set
  trap 'setup_status=$?
        if [ "${BASH_SOURCE[0]}" = "$QUANTIMED_SETUP" ]; then
          echo "set-up: $BASH_COMMAND: exit status $setup_status; the job ends here (module and [setup] of the site file)" >&2
          exit "$bad_input"
        fi' ERR
  # shellcheck disable=SC1090  # the user's own
  source "$QUANTIMED_SETUP"
  trap - ERR
  set -u
  cd "$folder_before" || exit "$bad_input"
fi
quantimed=${QUANTIMED_PROGRAM:-$QUANTIMED_HOME/build/quantimed}
if [ ! -e "$quantimed" ] && [ -z "${QUANTIMED_PROGRAM:-}" ]; then quantimed=$QUANTIMED_HOME/../../bin/quantimed; fi  # installed
# Every file is written whole under a temporary name and renamed, so HDF5's locks protect nothing here; on file systems
# without locks (Lustre without -o flock, some NFS) they make opening a file fail.
export HDF5_USE_FILE_LOCKING=${HDF5_USE_FILE_LOCKING:-FALSE}

# usage_unless_given ARGUMENT TEXT: an option in its place, or nothing, is no name.
usage_unless_given() {
  if [ -z "$1" ] || [[ $1 == -* ]]; then
    echo "usage: $2" >&2
    exit "$bad_input"
  fi
}

# refuse_given OPTION FIX WORD…: ends the script where a word is the option, which the script itself gives to the program.
refuse_given() {
  local option=$1 fix=$2 word
  shift 2
  for word in "$@"; do
    if [[ $word == "$option" || $word == "$option="* ]]; then
      echo "$QUANTIMED_BATCH_SCRIPT: $option: $fix" >&2
      exit "$bad_input"
    fi
  done
}

# refuse_files NAME WORD…: what names the files of a run, which follow from NAME, and what every script gives.
refuse_files() {
  local name=$1
  shift
  refuse_given --output "is $name, the first word after $QUANTIMED_BATCH_SCRIPT; leave it out" "$@"
  refuse_given --resume "what was cut continues by itself; leave it out, and give the same $name again" "$@"
  refuse_given --quiet "is given here; leave it out" "$@"
}

# make_folder FOLDER: with those above it.
make_folder() {
  local place=$1
  while [ ! -e "$place" ] && [ ! -L "$place" ] && [[ $place == */* ]]; do place=${place%/*}; done
  if [ -n "$place" ] && [ ! -d "$place" ] && { [ -e "$place" ] || [ -L "$place" ]; }; then
    echo "$1: cannot be made a folder, since $place is none; name another folder, or move that away" >&2
    exit "$bad_input"
  fi
  mkdir -p -- "$1" || exit "$bad_input"
}

# A program that does not start (another processor, a library that is not on this node) is told once, not for each run.
if ! release=$("$quantimed" --version 2>&1); then
  release=${release##*$'\n'}
  echo "$quantimed does not start on ${SLURMD_NODENAME:-this machine}: ${release#*: line *: }" >&2
  exit "$bad_input"
fi

# cores_in LIST: how many there are in a list as 0-3,8.
cores_in() {
  local range count=0
  for range in ${1//,/ }; do count=$((count + ${range#*-} - ${range%-*} + 1)); done
  echo "$count"
}

# The cores of this job: as many as it was granted, or fewer where its mask allows fewer.
granted=${SLURM_CPUS_PER_TASK:-${SLURM_CPUS_ON_NODE:-1}}
mask=$(sed -n 's/^Cpus_allowed_list:[[:space:]]*//p' /proc/self/status)
usable=$(cores_in "$mask")
if [ "$usable" -lt "$granted" ]; then
  echo "the job was granted $granted cores and may use $usable (its mask is $mask): something binds it, SLURM_CPU_BIND, a taskset or the node's SLURM" >&2
  granted=$usable
fi

# What starts a run: the program; over several machines (QUANTIMED_MACHINES) srun and the program over MPI, a rank on each.
# srun hands signals on. It is not to kill ranks because one has ended with a status that is not 0: 75 is a checkpoint, and the
# others may be a moment behind. A rank that is lost is noticed by all others, and what is left after half a minute is killed.
# With SBATCH_EXPORT=NONE srun would hand on no environment.
starts_run=("$quantimed")
over_machines() {
  starts_run=(srun "--nodes=$1" "--ntasks=$1" --ntasks-per-node=1 "--cpus-per-task=${SLURM_CPUS_PER_TASK:-1}" --wait=30
    --kill-on-bad-exit=0 --export=ALL "--mpi=$QUANTIMED_SRUN_MPI" "$quantimed_mpi")
}
# The program over MPI, and how srun starts it, unless both were given: MPICH of the distributions knows PMI-2 alone, Open MPI PMIx.
find_mpi() {
  quantimed_mpi=${QUANTIMED_MPI_PROGRAM:-$quantimed-mpi}
  if [ ! -x "$quantimed_mpi" ]; then
    echo "$quantimed_mpi: no such program; make MPI=1 builds it where MPI is installed" >&2
    exit "$bad_input"
  fi
  if [ -n "${QUANTIMED_SRUN_MPI:-}" ]; then return; fi
  case $(ldd "$quantimed_mpi" 2> /dev/null) in *libmpich* | *libmpi.so.12*) QUANTIMED_SRUN_MPI=pmi2 ;; *) QUANTIMED_SRUN_MPI=pmix ;; esac
}
if [ -n "${QUANTIMED_MACHINES:-}" ]; then
  find_mpi
  over_machines "$QUANTIMED_MACHINES"
fi

out_of_time=false  # SLURM's warning came
must_stop=false    # that, or the job is being ended
came=USR1          # the last signal
signals=0
children=()
hand_on_as=USR1    # what the children understand

trap 'out_of_time=true; hand_on USR1' USR1
trap 'hand_on TERM' TERM INT

# Once: the program takes a second signal of one kind as an order to drop everything, and when a job is cancelled SLURM
# has sent it one already.
hand_on() {
  signals=$((signals + 1)) came=$1
  if [ "$must_stop" = false ] && [ ${#children[@]} -gt 0 ]; then kill "-${hand_on_as:-$came}" "${children[@]}" 2> /dev/null; fi
  must_stop=true
}

# await PID: the child's exit status, whatever signals come meanwhile; a trap ends bash's `wait` early.
await() {
  local status before=-1
  while [ "$before" != "$signals" ]; do
    before=$signals
    wait "$1"
    status=$?
  done
  return "$status"
}

# in_background COMMAND…: its exit status. In the background, so that signals are handled at once.
in_background() {
  if [ "$must_stop" = true ]; then return "$interrupted"; fi
  "$@" &
  children=("$!")
  if [ "$must_stop" = true ]; then kill -USR1 "$!" 2> /dev/null; fi  # the signal came between the two lines above
  await "$!"
  local status=$?
  children=()
  # Signalled before it could catch signals: nothing is lost but its start.
  if [ "$must_stop" = true ] && [ "$status" -gt 128 ]; then status=$interrupted; fi
  return "$status"
}

# report FOLDER: of all traces in it; none where QUANTIMED_REPORT_OPTIONS says so.
report() {
  if [ "${QUANTIMED_REPORT_OPTIONS:-}" = none ]; then return 0; fi
  # shellcheck disable=SC2086  # several options
  in_background "$QUANTIMED_HOME/analysis/quantimed-report" "$1" ${QUANTIMED_REPORT_OPTIONS:-}
}

# is_whole TRACE: all of it is there, as its checksum says.
is_whole() {
  [ -f "$1" ] && [[ $("$quantimed" verify --quiet "$1" 2>&1) =~ :\ (complete|diverged),\  ]]
}

# attempt TRACE OPTION…: resumes what an earlier attempt left, or makes the trace from its beginning. What belongs to
# other options, other data or another program is refused and kept; what cannot be resumed is set aside.
attempt() {
  local trace=$1 found=nothing
  shift
  if [ -e "$trace" ] || [ -e "$trace.partial" ]; then
    found=$("$QUANTIMED_HOME/slurm/earlier" "$trace" "$@")
    case $? in
      0) ;;
      "$refused") found=resume ;;  # no h5py here to look into the trace with: only what the program resumes is safe
      *) if [ "$must_stop" = true ]; then return "$interrupted"; else return "$bad_input"; fi ;;
    esac
  fi
  case $found in
    done) return 0 ;;
    resume) in_background "${starts_run[@]}" run --resume "$trace" "$@" --quiet ;;
    *) in_background "${starts_run[@]}" run "$@" --output "$trace" --quiet ;;
  esac
}

# go_on TRACE OPTION…: makes the trace with `quantimed run OPTION…`, whatever of it there is already.
# 0 or 3 (diverged): it is whole. 75: cut again. 4: the machine refused memory or disk, and what there is stays.
# Else: what the program said.
go_on() {
  local status waited_s=0 locked
  while true; do
    locked=false
    if [ -f "$1.lock" ]; then locked=true; fi
    attempt "$@"
    status=$?
    # A lock that is still there is another's: SLURM started this job again and the first, on a node that it took for
    # dead, continues all the same. One that has gone was a dead process's.
    if [ "$status" != "$bad_input" ] && [ "$status" != "$refused" ]; then return "$status"; fi
    if [ -f "$1.lock" ]; then locked=true; elif [ "$locked" = false ]; then return "$status"; fi
    if [ "$waited_s" -ge 600 ]; then return "$status"; fi
    in_background sleep 5 || return
    waited_s=$((waited_s + 5))
  done
}

# same_as_before FOLDER OPTION…: a folder is of one set of options and one program, which asked.txt says.
same_as_before() {
  local folder=$1 asked
  shift
  asked=$(echo "$release"; if [ $# -gt 0 ]; then printf '%q ' "$@"; fi)
  if [ -f "$folder/asked.txt" ]; then
    if [ "$asked" = "$(< "$folder/asked.txt")" ]; then return 0; fi
    printf '%s holds what was asked for as:\n%s\nand now this is asked for:\n%s\nGive another folder, or remove this one.\n' \
      "$folder" "$(< "$folder/asked.txt")" "$asked" >&2
    return 1
  fi
  if compgen -G "$folder/*.h5" > /dev/null; then
    echo "$folder holds traces of other runs: give another folder, or remove them" >&2
    return 1
  fi
  echo "$asked" > "$folder/asked.txt.$$" && mv "$folder/asked.txt.$$" "$folder/asked.txt"
}

# Puts this job back into the queue if it was cut by its time limit, and ends the script.
end_job() {
  local status=$1 job=${SLURM_ARRAY_JOB_ID:+${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID}
  if [ "$status" = "$interrupted" ] && [ "$out_of_time" = true ]; then
    # A run that gets nowhere within the time limit must not be tried for ever.
    if [ "${SLURM_RESTART_COUNT:-0}" -ge "${QUANTIMED_MOST_RESTARTS:-100}" ]; then
      echo "cut by its time limit after $SLURM_RESTART_COUNT restarts; give more --time" >&2
    else
      scontrol requeue "${job:-$SLURM_JOB_ID}" || echo "not requeued; submit it again, and it continues" >&2
    fi
  fi
  exit "$status"
}
