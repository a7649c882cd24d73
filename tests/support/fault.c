/* Preloaded into engine workers by the tests: makes this machine one that reports AMX and does not run it.
 *
 * libllama asks for "ggml_backend_dev_get_extra_bufts" only where extra buffers (repacked weights, AMX) are switched
 * on. From then on the next computation executes ldtilecfg, the instruction where real machines die, with a
 * configuration no processor accepts: SIGILL without AMX, SIGSEGV with it.
 *
 * FAULT_ARMED=FILE   crash only while FILE exists (default: always)
 * FAULT_ALWAYS=1     crash with and without extra buffers
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int extra_buffers;

static void *original(const char *name) {
    void *library = dlopen("libggml-base.so.0", RTLD_LAZY | RTLD_NOLOAD);
    if (!library) library = dlopen("libggml-base.so", RTLD_LAZY | RTLD_NOLOAD);
    void *found = library ? dlsym(library, name) : NULL;
    if (!found) _exit(99);
    return found;
}

void *ggml_backend_reg_get_proc_address(void *reg, const char *name) {
    static void *(*real)(void *, const char *);
    if (!real) real = (void *(*)(void *, const char *))original("ggml_backend_reg_get_proc_address");
    if (strcmp(name, "ggml_backend_dev_get_extra_bufts") == 0) extra_buffers = 1;
    return real(reg, name);
}

static int armed(void) {
    const char *file = getenv("FAULT_ARMED");
    return !file || access(file, F_OK) == 0;
}

int ggml_backend_sched_graph_compute_async(void *sched, void *graph) {
    static int (*real)(void *, void *);
    if (!real) real = (int (*)(void *, void *))original("ggml_backend_sched_graph_compute_async");
    if (armed() && (extra_buffers || getenv("FAULT_ALWAYS"))) {
        static unsigned char configuration[64] __attribute__((aligned(64))) = {0xff};
        /* ldtilecfg (%rax) */
        __asm__ volatile(".byte 0xc4, 0xe2, 0x78, 0x49, 0x00" : : "a"(configuration) : "memory");
    }
    return real(sched, graph);
}
