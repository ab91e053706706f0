-- Let the next claim look at some groups; see prinia_turn.
SELECT prinia_turn(:queues, :groups, :now)
