/* The functions of the classic interface, SP_*. Included by sp.h.
 *
 * Generated from rust/c by tests/headers; do not edit.
 */
#ifndef INC_SP_FUNC
#define INC_SP_FUNC

#include "sp.h"

#ifdef __cplusplus
extern "C" {
#endif

