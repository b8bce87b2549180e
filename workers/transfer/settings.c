// Values derived from the settings. Any thread.
#include "workers/transfer/settings.h"

#include "workers/transfer/strategy.h"

bool settings_use_transactions(const struct settings *settings) {
    return settings->strategy->safe;
}
