/* Starts a simulated network inside the program, connects to it. C89 and C++. */
#include <stdio.h>

#include <sp.h>
#include <sp_testnet.h>

int main(void)
{
    char private_group[MAX_GROUP_NAME];
    mailbox mbox;
    int network, code;

    network = SPT_start("daemons=1");
    if (network < 0) {
        fprintf(stderr, "%s\n", SPT_error());
        return 1;
    }
    code = SP_connect(SPT_spread_name(network, 0), NULL, 0, 0, &mbox, private_group);
    if (code != ACCEPT_SESSION) {
        SP_error(code);
        return 1;
    }
    printf("hello from %s\n", private_group);
    SP_disconnect(mbox);
    return SPT_stop(network);
}
