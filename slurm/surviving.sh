# Functions for the batch scripts: runs that survive a time limit. Sourced by them, never run.
# shellcheck shell=bash
#
# SLURM sends USR1 to the batch shell a minute before the time limit (--signal=B:USR1@60). The shell hands it on, the
# run finishes its iteration, leaves a checkpoint in its trace and exits with 75, and the job goes back into the queue.
# Started again, it goes on from the checkpoint. Any other end of a job (scancel, preemption, a node's failure) leaves
# the checkpoint too, but then it is for SLURM or the user to start it again.

quantimed=${QUANTIMED_PROGRAM:-$QUANTIMED_HOME/build/quantimed}
# shellcheck disable=SC1090  # modules and the like, for scripts that are submitted by hand
if [ -n "${QUANTIMED_SETUP:-}" ]; then source "$QUANTIMED_SETUP"; fi
# Every file is written whole under a temporary name and renamed, so HDF5's locks protect nothing here; on file systems
# without locks (Lustre without -o flock, some NFS) they make opening a file fail.
export HDF5_USE_FILE_LOCKING=${HDF5_USE_FILE_LOCKING:-FALSE}

readonly interrupted=75 bad_input=2
out_of_time=false  # SLURM's warning came
must_stop=false    # that, or the job is being ended
signals=0
children=()

trap 'out_of_time=true; hand_on' USR1
trap 'hand_on' TERM INT

# Once: the program takes a second signal of one kind as an order to drop everything, and when a job is cancelled SLURM
# has sent it one already.
hand_on() {
  signals=$((signals + 1))
  if [ "$must_stop" = false ] && [ ${#children[@]} -gt 0 ]; then kill -USR1 "${children[@]}" 2> /dev/null; fi
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

# is_whole TRACE: all of it is there, as its checksum says.
is_whole() {
  [ -f "$1" ] && [[ $("$quantimed" verify --quiet "$1" 2>&1) =~ :\ (complete|diverged),\  ]]
}

# attempt TRACE OPTION…: goes on where an earlier attempt was cut; without one, or one that cannot go on, starts anew.
attempt() {
  local trace=$1 status
  shift
  if [ -f "$trace" ] || [ -f "$trace.partial" ]; then
    in_background "$quantimed" run --resume "$trace" "$@" --quiet
    status=$?
    if [ "$status" != "$bad_input" ] || [ -f "$trace.lock" ]; then return "$status"; fi
    echo "$trace: started anew" >&2
  fi
  in_background "$quantimed" run "$@" --output "$trace" --quiet
}

# go_on TRACE OPTION…: makes the trace with `quantimed run OPTION…`, whatever of it there is already.
# 0 or 3 (diverged): it is whole. 75: cut again. Else: what the program said.
go_on() {
  local status waited_s=0
  while true; do
    if is_whole "$1"; then return 0; fi
    attempt "$@"
    status=$?
    # A lock that is still there is another's: SLURM started this job again and the first, on a node that it took for
    # dead, goes on all the same.
    if [ "$status" != "$bad_input" ] || [ ! -f "$1.lock" ] || [ "$waited_s" -ge 600 ]; then return "$status"; fi
    in_background sleep 5 || return
    waited_s=$((waited_s + 5))
  done
}

# Puts this job back into the queue if it was cut by its time limit, and ends the script.
end_job() {
  local status=$1 job=${SLURM_ARRAY_JOB_ID:+${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID}
  if [ "$status" = "$interrupted" ] && [ "$out_of_time" = true ]; then
    # A run that gets nowhere within the time limit must not be tried for ever.
    if [ "${SLURM_RESTART_COUNT:-0}" -ge "${QUANTIMED_MOST_RESTARTS:-100}" ]; then
      echo "cut by its time limit after $SLURM_RESTART_COUNT restarts; give more --time" >&2
    else
      scontrol requeue "${job:-$SLURM_JOB_ID}" || echo "not requeued; submit it again, and it goes on" >&2
    fi
  fi
  exit "$status"
}
