/*
 * The named differences between the classic library and ours.
 *
 * rules.txt lists every name with the place in docs/COMPATIBILITY.md that explains it; the test checks that list against
 * the names used in these files.
 */
#include "ops.h"

#include <string.h>

static const char *switched_off = "";

void rules_switch_off(const char *names)
{
    switched_off = names;
}

bool rule(const char *name)
{
    size_t len = strlen(name);
    for (const char *p = switched_off; *p != 0;) {
        size_t item = strcspn(p, ",");
        if ((item == len && memcmp(p, name, len) == 0) || (item == 3 && memcmp(p, "all", 3) == 0))
            return false;
        p += item + (p[item] == ',');
    }
    return true;
}
