// Boost.JSON for app/: its code is compiled once, in json.cc.
#pragma once

#include <boost/json.hpp>
