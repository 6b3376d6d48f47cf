/* A simulated Spread network inside a test program: SPT_*. Link with -lspread_testd.
 *
 * The daemons behave towards their clients as those of Spread 5.0.1 do; they can be killed, frozen, cut off from each
 * other and so on. docs/TESTD.md tells more. Nothing of this is in libspread.so.
 *
 *     int net = SPT_start("daemons=3");
 *     if (net < 0) { fprintf(stderr, "%s\n", SPT_error()); exit(1); }
 *     SP_connect(SPT_spread_name(net, 0), ...);
 *     SPT_kill(net, 0);
 *     ...
 *     SPT_stop(net);
 *
 * All functions may be called from any thread. A number that is no network, or a network that has ended, is an error.
 *
 * Generated from rust/testd-ffi by its tests; do not edit.
 */
#ifndef INC_SP_TESTNET
#define INC_SP_TESTNET

#ifdef __cplusplus
extern "C" {
#endif

