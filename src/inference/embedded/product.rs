//! Products of matrices, everywhere such as a GPU computes too.

use candle_core::{Result, Tensor};

/// `one` by `other`, for each of the same leading dimensions.
///
/// The processor takes any layout, a GPU refuses all but matrices in one piece and their transposes: what is narrowed by
/// columns has to be copied beforehand.
pub(super) fn product(one: &Tensor, other: &Tensor) -> Result<Tensor> {
    debug_assert!(in_one_piece(one) && in_one_piece(other), "{:?} by {:?}", one.layout(), other.layout());
    one.matmul(other)
}

/// Whether each matrix is, or its transpose.
fn in_one_piece(matrices: &Tensor) -> bool {
    let ([.., rows, columns], [.., down, along]) = (matrices.dims(), matrices.stride()) else { return false };
    let lies = |(far, few), (near, many)| (near == 1 || many == 1) && (far == many || few == 1);
    lies((*down, *rows), (*along, *columns)) || lies((*along, *columns), (*down, *rows))
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device};

    use super::*;

    #[test]
    fn what_a_gpu_would_refuse_is_seen() {
        let whole = Tensor::zeros((2, 6, 4), DType::F32, &Device::Cpu).unwrap();
        let rows = whole.narrow(1, 2, 3).unwrap();
        let columns = whole.narrow(2, 1, 2).unwrap();
        assert!([&whole, &rows].into_iter().all(|one| in_one_piece(one) && in_one_piece(&one.t().unwrap())));
        assert!(!in_one_piece(&columns) && !in_one_piece(&columns.t().unwrap()));
        assert!(in_one_piece(&columns.contiguous().unwrap()));
    }
}
