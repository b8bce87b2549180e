// The program race-proxy. server/proxy has its parts.
#include "server/proxy/proxy.h"

int main(int argc, char **argv) {
    return proxy_main(argc, argv);
}
