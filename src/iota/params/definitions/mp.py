"""Parallel processing, batch systems and limits per image."""

from __future__ import annotations

PHIL = """
mp
  .help = Parallel processing
  .short_caption = Parallel processing
{
  n_processors = 0
    .type = int(value_min=0)
    .help = Number of processes. 0 is three quarters of the cores, but at least one. With a batch system it is the \
            maximum for all jobs together, and 0 is four jobs. With mpi it is the number given to mpirun, minus one.
    .short_caption = Number of processes
    .expert_level = 0
  method = *multiprocessing mpi slurm lsf torq pbs sge htcondor custom
    .type = choice
    .help = multiprocessing uses the cores of this machine, mpi the processes started by mpirun. slurm, lsf, torq, \
            pbs, sge and htcondor submit jobs to that batch system, up to the number that the work requires. custom \
            submits the whole run with mp.submit_command.
    .short_caption = Method
    .expert_level = 0
  queue = None
    .type = str
    .help = Queue or partition of the batch system. None is its default.
    .short_caption = Queue
    .expert_level = 0
  walltime = None
    .type = str
    .help = Maximum duration of a job, HH:MM or HH:MM:SS. None is the default of the batch system. A job that reaches \
            its limit is replaced as long as there is work.
    .short_caption = Walltime
    .expert_level = 1
  cores = 1
    .type = int(value_min=1)
    .help = Number of processes, and of cores requested, per job of a batch system
    .short_caption = Processes per job
    .expert_level = 1
  memory = None
    .type = float(value_min=0.5)
    .help = Memory requested per job (GB). None is 4 GB for each of its processes.
    .short_caption = Memory per job
    .expert_level = 1
  extra_directives = None
    .type = str
    .multiple = True
    .help = Additional option of the batch system for the header of each job script, e.g. --account=mx. For HTCondor: \
            name = value. Can be given several times.
    .short_caption = Extra directives
    .expert_level = 2
  interface = None
    .type = str
    .help = Network interface through which jobs reach this machine, e.g. ib0. It must have the same name on the \
            nodes. None is the interface of the default route.
    .short_caption = Network interface
    .expert_level = 2
  submit_command = None
    .type = str
    .help = Command that submits the whole run as one job, with <iota_command> in place of the command of the run, \
            e.g. bsub -q mx <iota_command>. Within double quotes, e.g. after sbatch --wrap, it is passed as one \
            argument. <iota_script> is the path of a script containing it. In a file of parameters, enclose all of it \
            in single quotes.
    .short_caption = Submit command
    .expert_level = 1
  kill_command = None
    .type = str
    .help = Command that ends a job submitted with submit_command, with <job_id> in place of its number, e.g. bkill \
            <job_id>
    .short_caption = Kill command
    .expert_level = 1
  frame_timeout = 600
    .type = float(value_min=1)
    .help = Maximum processing time per image (s). Images that exceed it are recorded as timed_out, after a second \
            attempt if they were distributed together with blanks.
    .short_caption = Time limit per image
    .expert_level = 1
  frame_memory = 8
    .type = float(value_min=0.5)
    .help = Maximum memory per image (GB), in addition to that already used by its process. Images that exceed it are \
            recorded as crashed. A process that has grown by more than 0.5 GB plus a quarter of this is replaced \
            between images.
    .short_caption = Memory limit per image
    .expert_level = 1
}
"""
