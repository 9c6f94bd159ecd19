// Pages of bert plot: a map of texts and the similarities of all their pairs.
#pragma once

#include "records.hpp"

#include <bert/core/matrix.hpp>
#include <bert/tasks/explain/pca.hpp>

#include <string>
#include <vector>

/// What points are coloured by: a group each, or a number each.
struct PointColours {
    std::string title;                ///< of the legend; empty: all points have the same colour
    std::vector<std::string> groups;  ///< the largest first; empty where there are numbers
    std::vector<int> group_of;        ///< of each point; -1 for none
    std::vector<double> numbers;      ///< of each point; NaN for none
};

/// A page with a point for each text; its text shows when the pointer rests on it.
std::string map_page(const std::vector<std::string>& texts, const bert::Projection& projection,
                     const PointColours& colours);

/// A page with a cell for each pair of texts. similarity: texts x texts.
std::string heat_map_page(const std::vector<std::string>& texts, const bert::Matrix& similarity);
