/* Allocations that fail when a test says so: the linker puts these functions between the library and the
 * heap. */
#ifndef MICA_TESTS_FAILING_H
#define MICA_TESTS_FAILING_H

void fail_allocation(long k); /* the k-th from now on fails, counted from 1; 0: none */
long allocations(void);       /* since fail_allocation */

#endif
