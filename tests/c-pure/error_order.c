/* Prints with stdio, SP_error and SP_strerror in turn. Standard output is a pipe in the test, thus fully buffered: the order
 * is right only if SP_error goes through the same stream. */
#include <stdio.h>

#include "sp.h"

int main(void)
{
    int code;

    for (code = 2; code >= -22; code--) {
        printf("before %d\n", code);
        SP_error(code);
        printf("after %s\n", SP_strerror(code));
    }
    return 0;
}
