// SPDX-License-Identifier: BSD-3-Clause
// Samples are drawn from anywhere, and with pages of 4 KiB each row is a page whose place has to be looked up first:
// of MNIST's 47 MB that was most of what a batch's rows cost.
#pragma once

#include <cstddef>

#include "dataset/dataset.hpp"

namespace quantimed {

// Wishes that this memory, which is filled already, lay in huge pages, now. What does not fill one stays as it is, and
// all does where the system has none to give (nothing below Linux 6.1, which only moves pages by and by).
void wish_huge_pages(void* memory, std::size_t bytes);

// All that a batch reads of a data set.
void wish_huge_pages(Dataset& data);

}  // namespace quantimed
