// The one place where Boost.JSON is compiled; nothing is linked for it.
#include "app/json.h"

#include <boost/json/src.hpp>
