"""Operations on many jobs: those under way and past ones, found again."""
