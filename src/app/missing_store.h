// A store that is not where it should be: why, and what to do about it.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "app/exit.h"
#include "app/instance.h"
#include "app/terminal.h"

namespace hikyaku::app {

/// Beside the store's directory: what a restore is copying into; the same, finished, waiting to
/// take the store's place; and (with a number behind it, from the second on) the store that was
/// set aside.
std::filesystem::path restoring_beside(const std::filesystem::path& data);
std::filesystem::path restored_beside(const std::filesystem::path& data);
std::filesystem::path former_beside(const std::filesystem::path& data);
/// All stores that were set aside there, the last one first.
std::vector<std::filesystem::path> formers_beside(const std::filesystem::path& data);

/// What to tell when there is no store in the instance's data directory: a restore was cut off, a
/// disk is not mounted, or there never was one; each with its remedy. nullopt: there is one, or
/// this process may not look.
std::optional<std::string> describe_missing_store(const Instance& placed, Language language);

/// Says it on standard error; the exit code then. For whom opening the store has failed.
std::optional<Exit> report_missing_store(const Instance& placed, Terminal& terminal);

}  // namespace hikyaku::app
