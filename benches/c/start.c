/* start NAME: what a program pays for having the library: the time to connect first, and its memory then. */
#include "bench.h"

int main(int argc, char **argv)
{
    double before = now();

    if (argc != 2)
        return 2;
    open_session(argv[1], "s");
    tell("connect_us", (now() - before) / 1e3);
    tell("resident_kib", resident() / 1024);
    return 0;
}
