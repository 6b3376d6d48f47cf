/* What Everspread adds to the classic interface: the functions SPX_*.
 *
 * A session is one, however it was opened: SP_ and SPX_ calls can be mixed. Link with -lspread, as for sp.h. These functions
 * are in no other library: a program that should run on the classic library too can look for SPX_version with dlsym.
 *
 * Generated from rust/c by tests/headers; do not edit.
 */
#ifndef INC_SP_EXT
#define INC_SP_EXT

#include "sp.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Result codes of SPX_ calls only. SP_ calls never return them. */
#define SPX_TRY_AGAIN           (-101)  /* The call would have to wait. */
#define SPX_TIMEOUT             (-102)  /* The time limit was reached. */
#define SPX_INTERRUPTED         (-103)  /* SPX_interrupt has ended the wait. */
#define SPX_BAD_OPTION          (-104)  /* There is no such option, or it does not take this value. */

/* A set of options, see SPX_conf_new. */
typedef struct SPX_conf SPX_conf;

