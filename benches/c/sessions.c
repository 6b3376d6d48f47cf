/* sessions NAME COUNT: what COUNT idle sessions cost: memory, threads, and the processor while nothing happens. */
#include "bench.h"

static long switches(void)
{
    struct rusage use;

    getrusage(RUSAGE_SELF, &use);
    return use.ru_nvcsw;
}

static double threads(void)
{
    FILE *file = fopen("/proc/self/status", "r");
    char line[200];
    int number = 0;

    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        if (sscanf(line, "Threads: %d", &number) == 1)
            break;
    if (file != NULL)
        fclose(file);
    return number;
}

int main(int argc, char **argv)
{
    struct rlimit limit;
    double before;
    double wall;
    double used;
    long count;
    long i;

    if (argc != 3)
        return 2;
    count = atol(argv[2]);
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    before = resident();
    wall = now();
    for (i = 0; i < count; i++) {
        char user[32];

        snprintf(user, sizeof user, "u%ld", i);
        open_session(argv[1], user);
    }
    tell("connect_us", (now() - wall) / 1e3 / (double)count);
    tell("session_bytes", (resident() - before) / (double)count);
    tell("threads", threads());
    usleep(50000);
    used = cpu();
    i = switches();
    sleep(2);
    tell("idle_cpu_us_per_s", (cpu() - used) / 1e3 / 2);
    /* The sleep is one of them. */
    tell("idle_wakeups", (double)(switches() - i - 1));
    return 0;
}
